#!/usr/bin/env bash
# Run a command on the lab: up before it, down behind it, the command's exit code.
#   run.sh COMMAND...     KEEP=1 leaves the lab up, as does a lab that was up before.
set -euo pipefail

lab=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/lab
source "$lab/state.sh"

down() {
    if [[ -n ${KEEP:-} ]]; then
        echo "The lab stays up. To stop it: $lab/down.sh"
    else
        echo "Taking the lab down"
        "$lab/down.sh"
    fi
}

if running keystone; then KEEP=1; fi
trap down EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
if ! "$lab/up.sh"; then
    tail -n 5 "$state"/log/* 2>/dev/null || true
    exit 1
fi
NOVADECK_OPENSTACK_LAB=1 NOVADECK_OPENSTACK=$state "$@"
