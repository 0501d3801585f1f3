{{- define "portcullis.selector" -}}
app.kubernetes.io/name: portcullis
app.kubernetes.io/component: server
{{- end -}}

{{- define "portcullis.labels" -}}
app.kubernetes.io/name: portcullis
app.kubernetes.io/part-of: portcullis
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end -}}

{{- define "portcullis.image" -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion -}}
{{- .Values.image.repository }}{{ ternary "@" ":" (hasPrefix "sha256:" $tag) }}{{ $tag -}}
{{- end -}}

{{/* At a path of dicts, as JSON: dict in, path. */}}
{{- define "portcullis.at" -}}
{{- $found := .in -}}
{{- range $name := splitList "." .path -}}
{{- if kindIs "map" $found }}{{ $found = get $found $name }}{{ else }}{{ $found = "" }}{{ end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* Rights, ports and names follow the values: what `config` says otherwise would hold for the server's file alone. dict root, made, config. */}}
{{- define "portcullis.assertOneWord" -}}
{{- $made := .made -}}{{- $config := .config -}}
{{- $values := dict
  "trustDomain" "trustDomain"
  "tokens.audiences" "audiences"
  "serving.dnsNames" "servingDnsNames"
  "kubernetes.tokenCheck" "tokenCheck"
  "kubernetes.podAddress" "podAddress"
  "kubernetes.trustedNodeAccounts" "trustedNodeAccounts"
  "kubernetes.clusterDomain" "clusterDomain"
  "kubernetes.policyStatus" "policyStatus"
  "kubernetes.bundleConfigMap" "bundleConfigMap"
  "kubernetes.trustSecret" "trustSecret"
  "kubernetes.guard" "guard.mode" -}}
{{- with .root.Values.ca }}
{{- if .secretName }}{{ $_ := set $values "ca.dir" "ca.secretName" }}{{ end -}}
{{- if .passphraseSecretName }}{{ $_ := set $values "ca.keyPassphraseFile" "ca.passphraseSecretName" }}{{ end -}}
{{- end -}}
{{- if .root.Values.admin.enabled }}{{ $_ := set $values "admin.audience" "admin.audience" }}{{ else }}{{ $_ := set $values "admin" "admin.enabled" }}{{ end -}}
{{- range $path, $value := $values -}}
{{- if ne (include "portcullis.at" (dict "in" $made "path" $path)) (include "portcullis.at" (dict "in" $config "path" $path)) -}}
{{- fail (printf "config.%s: set the value %s instead" $path $value) -}}
{{- end -}}
{{- end -}}
{{- range $path := list "dataDir" "kubernetes.namespace" -}}
{{- $fixed := include "portcullis.at" (dict "in" $made "path" $path) -}}
{{- $got := include "portcullis.at" (dict "in" $config "path" $path) -}}
{{- if ne $fixed $got }}{{ fail (printf "config.%s: expected %s, got %s: leave it out" $path (trimAll "\"" $fixed) (trimAll "\"" $got)) }}{{ end -}}
{{- end -}}
{{- range $path, $port := dict "listen" "15012" "metrics.listen" "15014" "kubernetes.guardListen" "15017" -}}
{{- $got := include "portcullis.at" (dict "in" $config "path" $path) | trimAll "\"" -}}
{{- if and $got (not (hasSuffix (printf ":%s" $port) $got)) }}{{ fail (printf "config.%s: expected port %s, which the Service leads to, got %s" $path $port $got) }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* The server's file: what the values say, and `config` over it. */}}
{{- define "portcullis.config" -}}
{{- $service := printf "portcullis.%s.svc" .Release.Namespace -}}
{{- $names := concat (list "localhost" $service (printf "%s.%s" $service .Values.clusterDomain)) .Values.servingDnsNames -}}
{{- $kubernetes := dict
  "api" "in-cluster"
  "namespace" .Release.Namespace
  "tokenCheck" .Values.tokenCheck
  "podAddress" .Values.podAddress
  "clusterDomain" .Values.clusterDomain
  "policyStatus" .Values.policyStatus
  "bundleConfigMap" .Values.bundleConfigMap
  "guard" .Values.guard.mode -}}
{{- with .Values.trustedNodeAccounts }}{{ $_ := set $kubernetes "trustedNodeAccounts" . }}{{ end -}}
{{- with .Values.trustSecret }}{{ $_ := set $kubernetes "trustSecret" . }}{{ end -}}
{{- $config := dict
  "dataDir" "/var/lib/portcullis/data"
  "listen" "0.0.0.0:15012"
  "trustDomain" .Values.trustDomain
  "tokens" (dict "audiences" .Values.audiences)
  "serving" (dict "dnsNames" ($names | uniq))
  "metrics" (dict "listen" "0.0.0.0:15014")
  "kubernetes" $kubernetes -}}
{{- if .Values.admin.enabled -}}
{{- if has .Values.admin.audience .Values.audiences }}{{ fail "admin.audience must be none of a workload's audiences" }}{{ end -}}
{{- $_ := set $config "admin" (dict "listen" .Values.admin.listen "audience" .Values.admin.audience) -}}
{{- end -}}
{{- $ca := dict -}}
{{- if .Values.ca.secretName }}{{ $_ := set $ca "dir" "/etc/cacerts" }}{{ end -}}
{{- if .Values.ca.passphraseSecretName }}{{ $_ := set $ca "keyPassphraseFile" (printf "/etc/ca-passphrase/%s" .Values.ca.passphraseSecretKey) }}{{ end -}}
{{- with $ca }}{{ $_ := set $config "ca" . }}{{ end -}}
{{- $made := deepCopy $config -}}
{{- $config = mergeOverwrite $config (deepCopy .Values.config) -}}
{{- include "portcullis.assertOneWord" (dict "root" . "made" $made "config" $config) -}}
{{- toYaml $config -}}
{{- end -}}

{{/* A ClusterRole of the server's account, and its binding: dict root, name, rules. */}}
{{- define "portcullis.clusterRole" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ .name }}
  labels:
    {{- include "portcullis.labels" .root | nindent 4 }}
rules:
  {{- .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ .name }}
  labels:
    {{- include "portcullis.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: portcullis
    namespace: {{ .root.Release.Namespace }}
{{- end -}}
