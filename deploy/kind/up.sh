#!/bin/sh
# A kind cluster with Hotdesk in it. Needs docker, kind and kubectl, and AWS credentials in the environment.
set -eu
cd "$(dirname "$0")/../.."
: "${AWS_ACCESS_KEY_ID:?set the AWS credentials that the operator shall use}"
: "${AWS_SECRET_ACCESS_KEY:?set the AWS credentials that the operator shall use}"

docker build --file deploy/Dockerfile --tag hotdesk:0.1.0 .
kind get clusters | grep -qx hotdesk || kind create cluster --config deploy/kind/cluster.yaml
kind load docker-image hotdesk:0.1.0 --name hotdesk

kubectl() { command kubectl --context kind-hotdesk "$@"; }
kubectl apply --filename deploy/kustomize/namespace.yaml
# From standard input: keys on a command line can be read by every process of this machine.
printf 'AWS_ACCESS_KEY_ID=%s\nAWS_SECRET_ACCESS_KEY=%s\nAWS_SESSION_TOKEN=%s\n' \
    "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" "${AWS_SESSION_TOKEN:-}" |
    sed '/^AWS_SESSION_TOKEN=$/d' |
    kubectl create secret generic hotdesk-aws --namespace hotdesk-system --from-env-file /dev/stdin \
        --dry-run=client --output yaml |
    kubectl apply --server-side --filename -
kubectl apply --server-side --kustomize deploy/kind
kubectl rollout status deployment/hotdesk --namespace hotdesk-system --timeout 120s
echo "Now: kubectl --context kind-hotdesk apply -f deploy/examples/pool-minimal.yaml"
