# Sourced by the scripts beside it: where the lab keeps its state, and which of its services run.
# shellcheck shell=bash

state=${NOVADECK_OPENSTACK:-${XDG_CACHE_HOME:-$HOME/.cache}/novadeck-openstack}

# is_ours PID NAME: is that process the lab's NAME?  After a reboot the number in a pid file may be a stranger's; what a
# service writes to is its own log.
is_ours() { [[ $(readlink "/proc/$1/fd/1" 2>/dev/null) == "$state/log/$2.out"* ]]; }

# running NAME: is that service there?
running() { [[ -s $state/run/$1.pid ]] && is_ours "$(<"$state/run/$1.pid")" "$1"; }
