{{/* Parts that all pods have. */}}

{{/* The beginning of a pod's spec. Takes the root. */}}
{{- define "nightshift.podBasics" -}}
enableServiceLinks: false
securityContext: {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The image and its security. Takes {root, image}. */}}
{{- define "nightshift.containerBasics" -}}
image: {{ include "nightshift.image" . | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext: {{- toYaml .root.Values.containerSecurityContext | nindent 2 }}
{{- end -}}

{{/* Where a pod may run. Takes {root, workload, selector}; workload is the api or a pool. */}}
{{- define "nightshift.placement" -}}
{{- with .workload.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .workload.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .workload.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .workload.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .workload.topologySpread }}
topologySpreadConstraints:
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- $.selector | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end }}
{{- end -}}

{{/* Liveness is of the process alone. A process that never came up is given a minute. */}}
{{- define "nightshift.livenessProbes" -}}
startupProbe:
  httpGet: {path: /health/live, port: metrics}
  periodSeconds: 2
  failureThreshold: 30
livenessProbe:
  httpGet: {path: /health/live, port: metrics}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end -}}

{{/* The pod of a migration, for the Job. Takes the root. */}}
{{- define "nightshift.migrationContainer" -}}
name: migrate
{{ include "nightshift.containerBasics" (dict "root" . "image" .Values.api.image) }}
args: [migrate]
env: {{- include "nightshift.databaseEnvironment" . | nindent 2 }}
{{- with .Values.extraEnv }}
{{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.extraEnvFrom }}
envFrom: {{- toYaml . | nindent 2 }}
{{- end }}
resources: {{- toYaml .Values.migration.resources | nindent 2 }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
{{- with .Values.extraVolumeMounts }}
{{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
