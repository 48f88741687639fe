{{/* Rules between values that a schema cannot say, or not in words that help. Each names the value and the fix. */}}
{{- define "nightshift.checks" -}}
{{- $problems := list -}}
{{- $pools := include "nightshift.pools" . | fromJson -}}
{{- $management := include "nightshift.management" . | fromJson -}}

{{- $full := include "nightshift.fullname" . -}}
{{- if not (regexMatch "^[a-z]" $full) -}}
{{- $problems = append $problems (printf "all names would begin with %q, and the name of a Service must begin with a letter: set fullnameOverride to one that does" $full) -}}
{{- end -}}
{{- if not .Values.dev.enabled -}}
{{- if not .Values.database.existingSecret -}}
{{- $problems = append $problems "database.existingSecret is empty: name a Secret that has the URL of PostgreSQL under the key database.urlKey, or set dev.enabled=true to try it out" -}}
{{- end -}}
{{- if not .Values.broker.existingSecret -}}
{{- $problems = append $problems "broker.existingSecret is empty: name a Secret that has the URL of RabbitMQ under the key broker.urlKey, or set dev.enabled=true to try it out" -}}
{{- end -}}
{{- end -}}
{{- if and $management.url (not $management.secret) -}}
{{- $problems = append $problems "broker.management.existingSecret is empty: name a Secret with a user and a password for broker.management.url" -}}
{{- end -}}
{{- if contains "@" $management.url -}}
{{- $problems = append $problems "broker.management.url has a user in it: put user and password into the Secret broker.management.existingSecret, and leave only scheme, host and port here" -}}
{{- end -}}

{{- if not $pools -}}
{{- $problems = append $problems "consumers has no pool that is enabled: nobody would run tasks" -}}
{{- end -}}
{{- $owner := dict -}}
{{- range $name, $pool := $pools -}}
{{- range $pool.queues -}}
{{- if hasKey $owner .name -}}
{{- $problems = append $problems (printf "queue %q is in consumers.%s and in consumers.%s: a queue belongs to one pool, or both would be scaled for the same tasks" .name (get $owner .name) $name) -}}
{{- end -}}
{{- $_ := set $owner .name $name -}}
{{- end -}}
{{- $scaling := $pool.autoscaling -}}
{{- if $scaling.enabled -}}
{{- if gt (int $scaling.minReplicas) (int $scaling.maxReplicas) -}}
{{- $problems = append $problems (printf "consumers.%s.autoscaling: minReplicas %d is above maxReplicas %d" $name (int $scaling.minReplicas) (int $scaling.maxReplicas)) -}}
{{- end -}}
{{- if gt (int $scaling.fallbackReplicas) (int $scaling.maxReplicas) -}}
{{- $problems = append $problems (printf "consumers.%s.autoscaling: fallbackReplicas %d is above maxReplicas %d" $name (int $scaling.fallbackReplicas) (int $scaling.maxReplicas)) -}}
{{- end -}}
{{- if le (int $scaling.cooldownPeriod) (int $scaling.scaleDown.stabilizationSeconds) -}}
{{- $problems = append $problems (printf "consumers.%s.autoscaling: cooldownPeriod %d must be above scaleDown.stabilizationSeconds %d, or KEDA ends all pods before the HPA has taken any" $name (int $scaling.cooldownPeriod) (int $scaling.scaleDown.stabilizationSeconds)) -}}
{{- end -}}
{{- if and (ne $scaling.source "api") (not $management.url) -}}
{{- $problems = append $problems (printf "consumers.%s.autoscaling.source is %q, and broker.management.url is empty: give the URL of RabbitMQ's management API, or set the source to api" $name $scaling.source) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- if and .Values.api.autoscaling.enabled (gt (int .Values.api.autoscaling.minReplicas) (int .Values.api.autoscaling.maxReplicas)) -}}
{{- $problems = append $problems (printf "api.autoscaling: minReplicas %d is above maxReplicas %d" (int .Values.api.autoscaling.minReplicas) (int .Values.api.autoscaling.maxReplicas)) -}}
{{- end -}}
{{- $connections := include "nightshift.connections" . | int -}}
{{- $budget := int .Values.database.connectionBudget -}}
{{- if and (gt $budget 0) (gt $connections $budget) -}}
{{- $problems = append $problems (printf "at their largest all pods together need %d PostgreSQL connections, and database.connectionBudget is %d: lower maxReplicas or dbPool, or raise max_connections and the budget" $connections $budget) -}}
{{- end -}}
{{- if .Values.api.ingress.enabled -}}
{{- if not .Values.api.ingress.hosts -}}
{{- $problems = append $problems "api.ingress.hosts is empty: name the host under which the API is published" -}}
{{- end -}}
{{- if eq (include "nightshift.auth" .) "off" -}}
{{- $problems = append $problems "settings.NIGHTSHIFT_AUTH is off and api.ingress.enabled is true: everybody could call; turn one of them round" -}}
{{- end -}}
{{- end -}}

{{- if $problems -}}
{{- fail (printf "these values do not fit together:\n- %s" (join "\n- " $problems)) -}}
{{- end -}}
{{- end -}}
