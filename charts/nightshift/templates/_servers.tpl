{{/* Where PostgreSQL and RabbitMQ are, and which Secrets lead there: those of the values, or those of dev. */}}

{{- define "nightshift.devSecret" -}}
{{- printf "%s-dev" (include "nightshift.fullname" .) -}}
{{- end -}}

{{/* {secret, key} of the URL of PostgreSQL. */}}
{{- define "nightshift.databaseSecret" -}}
{{- .Values.dev.enabled | ternary (dict "name" (include "nightshift.devSecret" .) "key" "database-url") (dict "name" .Values.database.existingSecret "key" .Values.database.urlKey) | toJson -}}
{{- end -}}

{{/* {secret, key} of the URL of RabbitMQ. */}}
{{- define "nightshift.brokerSecret" -}}
{{- .Values.dev.enabled | ternary (dict "name" (include "nightshift.devSecret" .) "key" "amqp-url") (dict "name" .Values.broker.existingSecret "key" .Values.broker.urlKey) | toJson -}}
{{- end -}}

{{/* The management API: {url, vhost, secret, usernameKey, passwordKey, urlKey, caKey}; url is empty when it is not given. */}}
{{- define "nightshift.management" -}}
{{- if .Values.dev.enabled -}}
{{- $host := printf "http://%s-rabbitmq.%s.svc:15672" (include "nightshift.fullname" .) .Release.Namespace -}}
{{- dict "url" $host "vhost" "/" "secret" (include "nightshift.devSecret" .) "usernameKey" "username" "passwordKey" "password" "urlKey" "" "caKey" "" | toJson -}}
{{- else -}}
{{- $management := .Values.broker.management -}}
{{- dict "url" (trimSuffix "/" $management.url) "vhost" $management.vhost "secret" $management.existingSecret "usernameKey" $management.usernameKey "passwordKey" $management.passwordKey "urlKey" $management.urlKey "caKey" $management.caKey | toJson -}}
{{- end -}}
{{- end -}}

{{/* The port of the management API. */}}
{{- define "nightshift.managementPort" -}}
{{- $url := (include "nightshift.management" . | fromJson).url | default "http://none:15672" | urlParse -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" -}}
{{- $port | default (eq $url.scheme "https" | ternary "443" "80") -}}
{{- end -}}

{{/* How the schema comes to be. A hook runs before the database of dev exists, so that migrates in the api's pods. */}}
{{- define "nightshift.migrationMode" -}}
{{- and .Values.dev.enabled (eq .Values.migration.mode "hook") | ternary "init" .Values.migration.mode -}}
{{- end -}}
