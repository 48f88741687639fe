#!/usr/bin/env bash
# `make kind`: from nothing to a running demo on this machine. Doing it again builds and upgrades.
set -euo pipefail
cd "$(dirname "$0")/../.."

CLUSTER=nightshift
CONTEXT=kind-$CLUSTER
KEDA_VERSION=2.20.2
TASKS=400

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
kube() { kubectl --context "$CONTEXT" --namespace nightshift "$@"; }

for tool in docker kind kubectl helm; do
  if ! command -v "$tool" >/dev/null; then
    echo "$tool is missing: see https://kind.sigs.k8s.io/docs/user/quick-start/ for Docker and kind, https://helm.sh/docs/intro/install/ for helm" >&2
    exit 1
  fi
done
if ! docker info >/dev/null 2>&1; then
  echo 'the Docker engine does not answer: start it first' >&2
  exit 1
fi

say 'Building both images'
commit=$(git rev-parse HEAD 2>/dev/null || echo unknown)
# A tag for each build, so that an upgrade rolls the pods.
tag=kind-$(date +%s)
for target in api consumer; do
  docker build --target "$target" --build-arg COMMIT="$commit" --tag "nightshift-$target:$tag" .
done

say 'Making the cluster'
if ! kind get clusters | grep -qx "$CLUSTER"; then
  kind create cluster --config k8s/kind/cluster.yaml --wait 120s
fi
kind load docker-image --name "$CLUSTER" "nightshift-api:$tag" "nightshift-consumer:$tag"

say "Installing KEDA $KEDA_VERSION"
helm --kube-context "$CONTEXT" upgrade --install keda keda --repo https://kedacore.github.io/charts \
  --version "$KEDA_VERSION" --namespace keda --create-namespace --wait --timeout 5m

say 'Installing Nightshift'
helm --kube-context "$CONTEXT" upgrade --install nightshift charts/nightshift \
  --namespace nightshift --create-namespace --values charts/nightshift/values-dev.yaml \
  --values k8s/kind/values.yaml --set image.tag="$tag" --wait --timeout 10m

say 'Testing it'
helm --kube-context "$CONTEXT" --namespace nightshift test nightshift --logs

say "Sending $TASKS tasks of five seconds each"
kube port-forward svc/nightshift-api 18080:80 >/dev/null &
forward=$!
trap 'kill $forward 2>/dev/null || true' EXIT
for _ in $(seq 30); do
  curl -fs http://127.0.0.1:18080/health/ready >/dev/null && break
  sleep 1
done
task='{"name":"trial.sleep","payload":{"ms":5000}}'
awk -v task="$task" -v left="$TASKS" 'BEGIN { while (left-- > 0) print task }' | curl -fsS -o /dev/null http://127.0.0.1:18080/api/v1/tasks/batch \
  -H 'content-type: application/x-ndjson' --data-binary @-

say 'Watching KEDA add consumers'
consumers=deployment/nightshift-consumer-default
for _ in $(seq 60); do
  replicas=$(kube get "$consumers" -o jsonpath='{.spec.replicas}')
  waiting=$(curl -s http://127.0.0.1:18080/health/consumers | grep -o '"pending":[0-9]*' | cut -d: -f2 | awk '{ sum += $1 } END { print sum + 0 }' || true)
  printf '%s consumers, %s tasks wait\n' "$replicas" "${waiting:-?}"
  [ "${waiting:-1}" = 0 ] && break
  sleep 3
done

cat <<END

It runs on in the cluster $CLUSTER:
  kubectl --context $CONTEXT --namespace nightshift get pods,scaledobjects,hpa
  kubectl --context $CONTEXT --namespace nightshift port-forward svc/nightshift-api 8080:80
  curl -i http://127.0.0.1:8080/api/v1/tasks -H 'content-type: application/json' -d '{"name":"trial.echo","payload":1}'
  make kind-down
END
