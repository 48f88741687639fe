{{/* The pools of consumers and what follows from their figures. */}}

{{/* All pools that exist, each with what consumerDefaults gives it, as JSON: {name: {…}}. */}}
{{- define "nightshift.pools" -}}
{{- $pools := dict -}}
{{- range $name, $pool := .Values.consumers -}}
{{- $merged := mergeOverwrite (deepCopy $.Values.consumerDefaults) (deepCopy ($pool | default dict)) -}}
{{- if $merged.enabled -}}
{{- $_ := set $pools $name $merged -}}
{{- end -}}
{{- end -}}
{{- $pools | toJson -}}
{{- end -}}

{{/* `queue:slots,…` of one pool: its prefetch, and what the scaler's target is made of. */}}
{{- define "nightshift.queuesOf" -}}
{{- $pairs := list -}}
{{- range .queues -}}
{{- $pairs = append $pairs (printf "%s:%d" .name (int .concurrency)) -}}
{{- end -}}
{{- join "," $pairs -}}
{{- end -}}

{{/* The same of all pools together, which the api must know. */}}
{{- define "nightshift.allQueues" -}}
{{- $pairs := list -}}
{{- range $pool := include "nightshift.pools" . | fromJson -}}
{{- $pairs = append $pairs (include "nightshift.queuesOf" $pool) -}}
{{- end -}}
{{- join "," $pairs -}}
{{- end -}}

{{/* Tasks that one pod of a pool runs in parallel. */}}
{{- define "nightshift.slots" -}}
{{- $slots := 0 -}}
{{- range .queues -}}
{{- $slots = add $slots (int .concurrency) -}}
{{- end -}}
{{- $slots -}}
{{- end -}}

{{/* How long a consumer lets its tasks finish: the longest of them, and 10 s to settle it. */}}
{{- define "nightshift.drainSeconds" -}}
{{- add (int .longestTaskSeconds) 10 -}}
{{- end -}}

{{/* When the pod is killed: the drain, the 15 s that the process allows itself beyond it, and 5 s. */}}
{{- define "nightshift.graceSeconds" -}}
{{- add (int .longestTaskSeconds) 30 -}}
{{- end -}}

{{/* Pods to have while nobody tells the depth. Takes the pool's autoscaling. */}}
{{- define "nightshift.fallbackReplicas" -}}
{{- .fallbackReplicas | default (max 1 (int .minReplicas) (div (add (int .maxReplicas) 1) 2)) -}}
{{- end -}}

{{/* The most pods that a pool may have. */}}
{{- define "nightshift.mostReplicas" -}}
{{- .autoscaling.enabled | ternary .autoscaling.maxReplicas .replicas | int -}}
{{- end -}}

{{/* PostgreSQL connections of everything at its largest, with the quarter more that a rollout adds. */}}
{{- define "nightshift.connections" -}}
{{- $api := .Values.api.autoscaling.enabled | ternary .Values.api.autoscaling.maxReplicas .Values.api.replicas | int -}}
{{- $sum := mul (div (add (mul $api 5) 3) 4) (add 2 (int .Values.api.dbPool)) -}}
{{- range $pool := include "nightshift.pools" . | fromJson -}}
{{- $most := include "nightshift.mostReplicas" $pool | int -}}
{{- $sum = add $sum (mul (div (add (mul $most 5) 3) 4) (add 4 (int $pool.dbPool))) -}}
{{- end -}}
{{- $sum -}}
{{- end -}}
