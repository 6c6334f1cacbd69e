{{- define "maskline.labels" -}}
app.kubernetes.io/name: maskline
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "maskline.selector" -}}
app.kubernetes.io/name: maskline
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: job
{{- end }}

{{- define "maskline.image" -}}
{{ .Values.image.repository }}{{ if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "maskline.podSecurity" -}}
runAsNonRoot: true
runAsUser: 9999
runAsGroup: 9999
fsGroup: 9999
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "maskline.containerSecurity" -}}
readOnlyRootFilesystem: true
allowPrivilegeEscalation: false
capabilities:
  drop: ["ALL"]
{{- end }}

{{- define "maskline.dsn" -}}
{{- if regexMatch "^[^?]*://[^/@]*:[^/@]*@" .dsn }}
{{- fail (printf "%s: a password stands in it; put it into a Secret as PGPASSWORD, and name that" .name) }}
{{- end }}
{{- .dsn | quote }}
{{- end }}
