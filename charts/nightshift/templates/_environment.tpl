{{/* The environment of the processes. */}}

{{/* One setting's value as text: YAML reads `off` as false, and a large number as 1e+07. */}}
{{- define "nightshift.text" -}}
{{- if kindIs "bool" . -}}
{{- . | ternary "on" "off" -}}
{{- else if kindIs "float64" . -}}
{{- int64 . -}}
{{- else -}}
{{- . -}}
{{- end -}}
{{- end -}}

{{/* Whether callers need a key: on or off. */}}
{{- define "nightshift.auth" -}}
{{- if hasKey .Values.settings "NIGHTSHIFT_AUTH" -}}
{{- include "nightshift.text" .Values.settings.NIGHTSHIFT_AUTH -}}
{{- else -}}
on
{{- end -}}
{{- end -}}

{{/* The URL of the database and the packs, which is all that a migration needs. */}}
{{- define "nightshift.databaseEnvironment" -}}
- name: DATABASE_URL
  valueFrom:
    secretKeyRef: {{- include "nightshift.databaseSecret" . | fromJson | toYaml | nindent 6 }}
{{- with .Values.packs }}
- name: NIGHTSHIFT_PACKS
  value: {{ join "," . | quote }}
{{- end }}
{{- end -}}

{{/* What every process needs. Takes {root, queues, dbPool}. */}}
{{- define "nightshift.environment" -}}
{{ include "nightshift.databaseEnvironment" .root }}
- name: AMQP_URL
  valueFrom:
    secretKeyRef: {{- include "nightshift.brokerSecret" .root | fromJson | toYaml | nindent 6 }}
- name: NIGHTSHIFT_HTTP_PORT
  value: "8080"
- name: NIGHTSHIFT_METRICS_PORT
  value: "9090"
- name: NIGHTSHIFT_QUEUES
  value: {{ .queues | quote }}
- name: NIGHTSHIFT_DB_POOL
  value: {{ .dbPool | int | quote }}
- name: NIGHTSHIFT_CONSUMER_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- range $name, $value := .root.Values.settings }}
- name: {{ $name }}
  value: {{ include "nightshift.text" $value | quote }}
{{- end }}
{{- with .root.Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* What the api and the doctor need to know of the deployment as a whole. Takes the root. */}}
{{- define "nightshift.operatingEnvironment" -}}
{{- $consumers := 0 -}}
{{- $drain := 0 -}}
{{- range $pool := include "nightshift.pools" . | fromJson -}}
{{- $consumers = add $consumers (include "nightshift.mostReplicas" $pool | int) -}}
{{- $drain = max $drain (include "nightshift.drainSeconds" $pool | int) -}}
{{- end -}}
- name: NIGHTSHIFT_MAX_REPLICAS
  value: {{ max 1 $consumers | quote }}
- name: NIGHTSHIFT_DRAIN_GRACE_SECONDS
  value: {{ $drain | quote }}
- name: NIGHTSHIFT_POD_DELETION_COST
  value: {{ .Values.api.podDeletionCost | quote }}
- name: NIGHTSHIFT_POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
{{- with include "nightshift.management" . | fromJson }}
{{- if .urlKey }}
- name: NIGHTSHIFT_MANAGEMENT_URL
  valueFrom:
    secretKeyRef: {{- dict "name" .secret "key" .urlKey | toYaml | nindent 6 }}
{{- else if .url }}
- name: NIGHTSHIFT_MANAGEMENT_URL
  value: {{ .url | quote }}
{{- end }}
{{- end }}
{{- end -}}
