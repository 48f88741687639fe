{{/*
Names and labels. The longest suffix is `-consumer-` and a pool of 15: 29 + 25 = 54 characters, the limit of a ScaledObject,
because KEDA puts `keda-hpa-` before it, and 63 is the limit of what becomes a label.
*/}}

{{/* The first part of all names: at most 29 characters, and different for different releases also when it is cut. */}}
{{- define "nightshift.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := .Values.fullnameOverride | default (contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name)) -}}
{{- if gt (len $full) 29 -}}
{{- printf "%s-%s" ($full | trunc 20 | trimSuffix "-" | trimSuffix ".") ($full | sha256sum | trunc 8) -}}
{{- else -}}
{{- $full -}}
{{- end -}}
{{- end -}}

{{/* The name of a pool's objects. Takes {root, pool}. */}}
{{- define "nightshift.poolName" -}}
{{- printf "%s-consumer-%s" (include "nightshift.fullname" .root) .pool -}}
{{- end -}}

{{/* Labels that select pods; they never change. Quoted, because names such as `1` or `on` are no text to YAML. Takes {root, component}, and {pool} for a consumer. */}}
{{- define "nightshift.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride | trunc 63 | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- with .pool }}
nightshift/pool: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* Labels of an object. Takes what nightshift.selector takes. */}}
{{- define "nightshift.labels" -}}
{{ include "nightshift.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: nightshift
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* An image's full name. Takes {root, image}. */}}
{{- define "nightshift.image" -}}
{{- $registry := .root.Values.image.registry | trimSuffix "/" -}}
{{- $repository := list $registry .image.repository | compact | join "/" -}}
{{- $tag := .image.tag | default .root.Values.image.tag | default .root.Chart.AppVersion -}}
{{- if .image.digest -}}
{{- printf "%s@%s" $repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository $tag -}}
{{- end -}}
{{- end -}}
