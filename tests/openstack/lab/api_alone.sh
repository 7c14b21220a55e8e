#!/usr/bin/env bash
# A second nova-api of the lab's first region, alone with copies of its databases: no scheduler, conductor or
# hypervisor host hears of what it is asked, so that every order can be given to every server in every state and only
# Nova's own guards decide.  For record_matrix.py.
#
#   api_alone.sh up      copy the databases as they are now, start it on 127.0.0.1:8773
#   api_alone.sh down    stop it, drop the copies
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/state.sh"
name=nova-api-alone
conf=$state/etc/alone
databases=(nova nova_api nova_cell0)
client=(mariadb --no-defaults --socket="$state/run/mariadb.sock" --user=root)

control_queues() (
    export HOME=$state/rabbitmq RABBITMQ_NODENAME=novadeck@localhost ERL_EPMD_PORT=4370
    /usr/lib/rabbitmq/bin/rabbitmqctl --quiet "$@"
)

down() {
    if running $name; then
        kill -- "-$(<"$state/run/$name.pid")"
        while running $name; do sleep 0.1; done
    fi
    rm -f "$state/run/$name.pid"
    for each in "${databases[@]}"; do
        "${client[@]}" -e "DROP DATABASE IF EXISTS alone_$each"
    done
    control_queues delete_vhost alone 2>/dev/null || true
    rm -rf "$conf"
}

up() {
    down
    for each in "${databases[@]}"; do
        "${client[@]}" -e "CREATE DATABASE alone_$each CHARACTER SET utf8mb3"
        mariadb-dump --no-defaults --socket="$state/run/mariadb.sock" --user=root --single-transaction "$each" |
            "${client[@]}" "alone_$each"
    done
    "${client[@]}" alone_nova_api -e "UPDATE cell_mappings SET
        database_connection = REPLACE(database_connection, 'localhost/nova', 'localhost/alone_nova'),
        transport_url = IF(name = 'cell1', CONCAT(transport_url, 'alone'), transport_url)"
    control_queues add_vhost alone
    control_queues set_permissions --vhost alone guest '.*' '.*' '.*'
    mkdir -p "$conf"
    (
        umask 077
        # Its hosts beat no more, and are up all the same; a question to one of them is not waited for.
        sed -e 's|localhost/nova|localhost/alone_nova|' -e 's|^transport_url = .*|&alone|' \
            -e 's|^service_down_time = .*|service_down_time = 1000000\nrpc_response_timeout = 1|' \
            "$state/etc/nova.conf" >"$conf/nova.conf"
    )
    cp "$state/etc/api-paste.ini" "$conf/"
    setsid env LAB_SERVICE=$name LAB_STATE="$state" LAB_APP=nova.wsgi.osapi_compute:application LAB_THREADS=4 \
        LAB_BIND=127.0.0.1:8773 GUNICORN_CMD_ARGS="--config $here/conf/gunicorn.conf.py" OS_NOVA_CONFIG_DIR="$conf" \
        OS_NOVA_CONFIG_FILES="api-paste.ini;nova.conf" "$state/venv/bin/gunicorn" \
        >>"$state/log/$name.out" 2>&1 </dev/null &
    echo $! >"$state/run/$name.pid"
    for _ in $(seq 300); do
        (: <>/dev/tcp/127.0.0.1/8773) 2>/dev/null && return 0
        sleep 0.2
    done
    echo "$name does not answer: $state/log/$name.out" >&2
    return 1
}

"$1"
