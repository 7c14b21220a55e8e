#!/usr/bin/env bash
# Bring up a real OpenStack control plane on this machine, without systemd,
# containers or virtual machines: Keystone, Glance, Placement, Neutron, Cinder
# and Nova with two pretend hypervisor hosts.  Every API, database, message and state
# change is the real thing; a server's guest is a real sshd on its address.  A
# second region has a Nova of its own, and shares the rest.
#
#   up.sh            install what is missing, start what is not running
#   up.sh --services the same, and trust that users, flavors, images and networks are there already
#   down.sh          stop it again (down.sh --wipe also forgets all data)
#
# Needs Debian 12 (or kin), Python 3.11 or newer, and root for apt-get unless the
# Debian packages are there already (guests need root anyhow: port 22).  Running
# it again is harmless.
#
# Settings (environment):
#   NOVADECK_OPENSTACK   state folder   [$XDG_CACHE_HOME or ~/.cache]/novadeck-openstack
#   LAB_HOST             listen address [127.0.0.1]
#   LAB_COMPUTES         hypervisor hosts ["compute-1 compute-2"]
#   LAB_COMPUTES_TWO     those of the second region ["compute-3"; empty: no second region]
#   LAB_COMPUTE_DRIVER   nova driver    [loopback.LoopbackDriver; fake.FakeDriver is nova's
#                                       own, which cannot be started a second time]
#   LAB_BUILD_SECONDS    how long a build takes with the loopback driver [0]
#   LAB_SSH              no: servers have no guest that answers [yes]; LAB_SSH_DELAY and
#                        more of this kind: plugin/loopback_lab/guest.py
#   LAB_PYTHON           the interpreter [python3.11, else python3]
set -euo pipefail
unset PYTHONDONTWRITEBYTECODE   # a score of processes is started: each would compile all of OpenStack anew

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/state.sh"
host=${LAB_HOST:-127.0.0.1}
computes=${LAB_COMPUTES:-compute-1 compute-2}
computes_two=${LAB_COMPUTES_TWO-compute-3}
driver=${LAB_COMPUTE_DRIVER:-loopback.LoopbackDriver}
amqp_port=5673          # not the usual 5672: a system RabbitMQ may be there
venv=$state/venv
conf=$state/etc
socket=$state/run/mariadb.sock

# What the first region's own services are called and where they are, and for
# how long it keeps deleted and shelved servers.
region=RegionOne two='' nova_port=8774 placement_port=8778 vhost='' keeps_deleted=0 keeps_shelved=0

# in_regions COMMAND...: for the first region and then, with its names, for the
# second one.  That has Nova and Placement services and databases of its own;
# users, networks, images and volumes it shares with the first.
in_regions() {
    "$@"
    [[ -n $computes_two ]] || return 0
    local region=RegionTwo two=_two nova_port=8775 placement_port=8779 vhost=two keeps_deleted=86400 keeps_shelved=-1
    local conf=$conf/two computes=$computes_two
    "$@"
}

say() { printf '%(%H:%M:%S)T  %s\n' -1 "$*"; }
die() { printf 'up.sh: %s\n' "$*" >&2; exit 1; }

# ---------------------------------------------------------------- installing

install_debian_packages() {
    local missing=() package
    for package in mariadb-server-core mariadb-client rabbitmq-server python3-venv openssh-server; do
        [[ $package != openssh-server || $(id -u) == 0 ]] || continue       # guests need root
        dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    [[ $(id -u) == 0 ]] || die "Debian packages are missing; once, as root:
    apt-get install --no-install-recommends ${missing[*]}"
    say "apt-get install ${missing[*]}"
    # Keep Debian from starting its own RabbitMQ and sshd: we run our own.
    local policy=/usr/sbin/policy-rc.d ours=
    if [[ ! -e $policy ]]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
        ours=yes
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
        "${missing[@]}" >"$state/log/apt.log" 2>&1 || die "apt-get failed, see $state/log/apt.log"
    [[ -z $ours ]] || rm -f "$policy"
}

install_python_packages() {
    local wanted
    wanted=$(cat "$here/requirements.txt" "$here"/plugin/pyproject.toml "$here"/plugin/*/*.py | sha256sum)
    [[ -f $venv/.installed && $(<"$venv/.installed") == "$wanted" ]] && return 0
    say "installing OpenStack from PyPI into $venv"
    local python=${LAB_PYTHON:-$(command -v python3.11 || command -v python3)}
    "$python" -m venv "$venv"
    "$venv/bin/pip" install --quiet uv
    # uv is several times quicker, but does not read the settings of a pip that goes through a mirror.
    if ! UV_SYSTEM_CERTS=true "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" -r "$here/requirements.txt"; then
        say "once more, with pip and its settings"
        "$venv/bin/pip" install --quiet -r "$here/requirements.txt"
    fi
    rm -rf "$state/plugin" && cp -r "$here/plugin" "$state/plugin"     # a build leaves files about
    "$venv/bin/pip" install --quiet --no-deps --force-reinstall "$state/plugin"
    # Nova only loads drivers from inside its own package.
    echo "from loopback_lab.nova_driver import LoopbackDriver" \
        >"$("$venv/bin/python" -c 'import nova.virt; print(nova.virt.__path__[0])')/loopback.py"
    "$venv/bin/python" -m compileall -q -j 0 "$venv/lib" >/dev/null || true     # uv leaves that to the first start
    printf '%s\n' "$wanted" >"$venv/.installed"
}

# ------------------------------------------------------------ configuration

# Passwords are made once and kept; nothing listens beyond the loopback.
secret() {
    local file=$state/secrets/$1
    [[ -s $file ]] || (umask 077; head -c 18 /dev/urandom | base64 | tr '+/' 'ab' >"$file")
    cat "$file"
}

# render TEMPLATE SERVICE [COMPUTE_HOST]: fill in a template, to stdout.
render() {
    sed -e "s|@STATE@|$state|g" -e "s|@VENV@|$venv|g" -e "s|@HOST@|$host|g" \
        -e "s|@AMQP_PORT@|$amqp_port|g" -e "s|@SERVICE@|$2|g" \
        -e "s|@SERVICE_PASSWORD@|$(secret service)|g" \
        -e "s|@DB@|mysql+pymysql://root@localhost|g" \
        -e "s|@DB_ARGS@|?unix_socket=$socket\&charset=utf8mb4|g" \
        -e "s|@KEEPS_DELETED@|$keeps_deleted|g" -e "s|@KEEPS_SHELVED@|$keeps_shelved|g" \
        -e "s|@REGION@|$region|g" -e "s|@TWO@|$two|g" -e "s|@VHOST@|$vhost|g" \
        -e "s|@COMPUTE_HOST@|${3:-}|g" -e "s|@COMPUTE_DRIVER@|$driver|g" "$here/conf/$1"
}

write_configuration() {
    (
        umask 077
        mkdir -p "$conf/policy.d" && echo '{}' >"$conf/policy.yaml"
        render keystone.conf keystone >"$conf/keystone.conf"
        { render glance-api.conf glance; render common.conf glance; } >"$conf/glance-api.conf"
        { render neutron.conf neutron; render common.conf neutron; } >"$conf/neutron.conf"
        { render cinder.conf cinder; render common.conf cinder; } >"$conf/cinder.conf"
        in_regions write_nova_configuration
    )
}

write_nova_configuration() {
    local compute
    mkdir -p "$conf"
    { render placement.conf placement; render common.conf placement; } >"$conf/placement.conf"
    { render nova.conf nova; render common.conf nova; } >"$conf/nova.conf"
    # Nova's WSGI module wants this one first among its own files.
    cp "$venv/etc/nova/api-paste.ini" "$conf/api-paste.ini"
    for compute in $computes; do
        render nova-compute.conf nova "$compute" >"$conf/$compute.conf"
        mkdir -p "$state/nova/$compute"
    done
}

# ----------------------------------------------------------------- processes

# start NAME COMMAND...: run it in the background, in its own process group.
start() {
    local name=$1
    shift
    running "$name" && return 0
    say "starting $name"
    setsid "$@" >>"$state/log/$name.out" 2>&1 </dev/null &
    echo $! >"$state/run/$name.pid"
    # Its output is not redirected yet on a machine that is busy, and then it does not look like ours.
    until running "$name" || ! kill -0 $! 2>/dev/null; do sleep 0.05; done
}

# wait_for NAME SECONDS COMMAND...: until the command succeeds.
wait_for() {
    local name=$1 limit=$((SECONDS + $2))
    shift 2
    until "$@" >/dev/null 2>&1; do
        running "$name" || die "$name ended at once, see $state/log/$name.*"
        ((SECONDS < limit)) || die "$name is not answering, see $state/log/$name.*"
        sleep 0.2
    done
}

# answers PORT: does an HTTP server answer there?  (In a subshell: a connection
# that breaks ends only that.)
answers() (
    exec 3<>"/dev/tcp/$host/$1"
    printf 'GET / HTTP/1.0\r\nHost: %s\r\n\r\n' "$host" >&3
    read -r -t 60 line <&3
    [[ $line == HTTP/* ]]
)

# start_wsgi NAME MODULE PORT [VARIABLE=VALUE...]: one API service.
start_wsgi() {
    local name=$1 module=$2 port=$3
    shift 3
    start "$name" env LAB_SERVICE="$name" LAB_STATE="$state" LAB_APP="$module:application" \
        LAB_BIND="$host:$port" GUNICORN_CMD_ARGS="--config $here/conf/gunicorn.conf.py" \
        "$@" "$venv/bin/gunicorn"
}

# ------------------------------------------------- database and message queue

client() { mariadb --no-defaults --socket="$socket" --user=root "$@"; }

start_database() {
    if [[ ! -d $state/mariadb/mysql ]]; then
        say "creating the database files"
        mariadb-install-db --no-defaults --datadir="$state/mariadb" --user="$(id -un)" \
            --auth-root-authentication-method=normal --skip-test-db >"$state/log/mariadb.out" 2>&1
    fi
    # Loses the last second if the machine dies, which a lab can afford, and is
    # several times quicker for it.  No network: only the socket in our folder.
    start mariadb mariadbd --no-defaults --datadir="$state/mariadb" --user="$(id -un)" \
        --socket="$socket" --skip-networking --pid-file="$state/mariadb/pid" \
        --max-connections=500 --innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=0 \
        --innodb-buffer-pool-size=256M --character-set-server=utf8mb3
    wait_for mariadb 120 client -e "SELECT 1"
}

rabbit_environment() {
    export HOME=$state/rabbitmq           # where Erlang keeps its cookie
    export ERL_EPMD_ADDRESS=$host ERL_EPMD_PORT=4370
    export RABBITMQ_NODENAME=novadeck@localhost RABBITMQ_DIST_PORT=25673
    export RABBITMQ_NODE_IP_ADDRESS=$host RABBITMQ_NODE_PORT=$amqp_port
    export RABBITMQ_MNESIA_BASE=$HOME/mnesia RABBITMQ_LOG_BASE=$state/log
    export RABBITMQ_ENABLED_PLUGINS_FILE=$HOME/plugins RABBITMQ_CONF_ENV_FILE=$HOME/none
    export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none"
}

start_message_queue() {
    (
        rabbit_environment
        start epmd epmd -address "$host" -port 4370
        # Debian's /usr/sbin/rabbitmq-server insists on its own user and paths.
        start rabbitmq /usr/lib/rabbitmq/bin/rabbitmq-server
    )
    wait_for rabbitmq 120 bash -c ": </dev/tcp/$host/$amqp_port"
    [[ -z $computes_two ]] || once vhost add_vhost two
}

# A queue namespace for the second region's services.
add_vhost() (
    rabbit_environment
    /usr/lib/rabbitmq/bin/rabbitmqctl --quiet add_vhost "$1" &&
        /usr/lib/rabbitmq/bin/rabbitmqctl --quiet set_permissions --vhost "$1" guest '.*' '.*' '.*'
)

# once NAME COMMAND...: a step of the first start, done when it was done to its end.
once() {
    local name=$1
    shift
    [[ -e $state/done/$name ]] && return 0
    "$@" >"$state/log/first-$name.log" 2>&1 || die "$name failed, see $state/log/first-$name.log"
    touch "$state/done/$name"
}

migrate_nova() {
    local manage=("$venv/bin/nova-manage" --config-file "$conf/nova.conf")
    "${manage[@]}" api_db sync && "${manage[@]}" cell_v2 map_cell0 && "${manage[@]}" db sync || return 1
    "${manage[@]}" cell_v2 list_cells | grep -q cell1 || "${manage[@]}" cell_v2 create_cell --name cell1
}

# The second region's tables: copies of the first one's, while those are empty.
copy_nova_tables() {
    local name copy
    for name in placement nova_api nova nova_cell0; do
        copy=${name/#nova/nova_two}
        copy=${copy/#placement/placement_two}
        client -e "CREATE DATABASE $copy CHARACTER SET utf8mb3"
        mariadb-dump --no-defaults --socket="$socket" --user=root "$name" | client "$copy"
    done
    client nova_two_api -e "UPDATE cell_mappings SET
        database_connection = REPLACE(database_connection, 'localhost/nova', 'localhost/nova_two'),
        transport_url = IF(name = 'cell1', CONCAT(transport_url, 'two'), transport_url)"
}

# All tables, empty.  Migrating takes a minute, so what comes of it is kept for
# the next time (after down.sh --wipe): schema.sql is good for these versions.
create_tables() {
    local name pids=() kept=$state/schema.sql
    local databases=(keystone placement glance neutron cinder nova_api nova nova_cell0)
    local key="-- $(sha256sum <"$here/requirements.txt") $state"
    [[ -e $state/done/tables ]] && return 0
    if [[ -s $kept && $(head -n 1 "$kept") == "$key" ]]; then
        say "loading the tables kept from an earlier migration"
        client <"$kept"
        touch "$state/done/tables"
        return 0
    fi
    say "migrating the databases, which takes a minute or two"
    for name in "${databases[@]}"; do
        client -e "CREATE DATABASE IF NOT EXISTS $name CHARACTER SET utf8mb3"
    done
    once neutron "$venv/bin/neutron-db-manage" --config-file "$conf/neutron.conf" upgrade heads & pids+=($!)
    once nova migrate_nova & pids+=($!)
    once keystone "$venv/bin/keystone-manage" --config-file "$conf/keystone.conf" db_sync & pids+=($!)
    once cinder "$venv/bin/cinder-manage" --config-file "$conf/cinder.conf" db sync & pids+=($!)
    once glance "$venv/bin/glance-manage" --config-file "$conf/glance-api.conf" db_sync & pids+=($!)
    once placement "$venv/bin/placement-manage" --config-file "$conf/placement.conf" db sync & pids+=($!)
    for name in "${pids[@]}"; do wait "$name"; done
    copy_nova_tables
    databases+=(placement_two nova_two_api nova_two nova_two_cell0)
    { printf '%s\n' "$key"; mariadb-dump --no-defaults --socket="$socket" --user=root --databases "${databases[@]}"; } >"$kept.new"
    mv "$kept.new" "$kept"
    touch "$state/done/tables"
}

# ------------------------------------------------------------------ services

bootstrap_keystone() {
    local manage=("$venv/bin/keystone-manage" --config-file "$conf/keystone.conf")
    local owner=(--keystone-user "$(id -un)" --keystone-group "$(id -gn)")
    "${manage[@]}" fernet_setup "${owner[@]}" && "${manage[@]}" credential_setup "${owner[@]}" &&
        "${manage[@]}" bootstrap --bootstrap-password "$(secret admin)" --bootstrap-region-id RegionOne \
            --bootstrap-public-url "http://$host:5000/v3/" \
            --bootstrap-internal-url "http://$host:5000/v3/"
}

start_keystone() {
    once bootstrap bootstrap_keystone
    start_wsgi keystone keystone.wsgi.api 5000 OS_KEYSTONE_CONFIG_FILES="$conf/keystone.conf"
    wait_for keystone 300 answers 5000
}

start_services() {
    start_wsgi glance glance.wsgi.api 9292 OS_GLANCE_CONFIG_DIR="$conf"
    start_wsgi neutron neutron.wsgi.api 9696 OS_NEUTRON_CONFIG_DIR="$conf" OS_NEUTRON_CONFIG_FILES=neutron.conf
    # Cinder's module looks for cinder.conf in the home folder.
    start_wsgi cinder-api cinder.wsgi.api 8776 HOME="$conf"
    start cinder-scheduler "$venv/bin/cinder-scheduler" --config-file "$conf/cinder.conf"
    start cinder-volume "$venv/bin/cinder-volume" --config-file "$conf/cinder.conf"
    in_regions start_nova
    wait_for glance 300 answers 9292
    wait_for neutron 300 answers 9696
    wait_for cinder-api 300 answers 8776
    in_regions wait_for_nova
}

start_nova() {
    local compute name=${two/_/-}
    start_wsgi "placement$name" placement.wsgi.api "$placement_port" OS_PLACEMENT_CONFIG_DIR="$conf"
    start_wsgi "nova-api$name" nova.wsgi.osapi_compute "$nova_port" OS_NOVA_CONFIG_DIR="$conf" \
        OS_NOVA_CONFIG_FILES="api-paste.ini;nova.conf"
    start "nova-conductor$name" "$venv/bin/nova-conductor" --config-file "$conf/nova.conf"
    start "nova-scheduler$name" "$venv/bin/nova-scheduler" --config-file "$conf/nova.conf"
    for compute in $computes; do
        start "nova-$compute" env LAB_GUESTS="$state/guests" \
            "$venv/bin/nova-compute" --config-file "$conf/nova.conf" --config-file "$conf/$compute.conf"
    done
}

wait_for_nova() {
    wait_for "placement${two/_/-}" 300 answers "$placement_port"
    wait_for "nova-api${two/_/-}" 300 answers "$nova_port"
}

# Users, catalogue, network, flavors and an image; also writes clouds.yaml.
seed() {
    LAB_STATE=$state LAB_HOST=$host LAB_COMPUTES=$computes LAB_COMPUTES_TWO=$computes_two \
        LAB_ADMIN_PASSWORD=$(secret admin) LAB_SERVICE_PASSWORD=$(secret service) \
        LAB_USER_PASSWORD=$(secret user) "$venv/bin/python" "$here/seed.py" "$@"
}

map_computes() {
    once "hosts-${computes// /+}" "$venv/bin/nova-manage" --config-file "$conf/nova.conf" cell_v2 discover_hosts
}

main() {
    mkdir -p "$state"/{etc,log,run,secrets,done,guests,mariadb,rabbitmq,nova,neutron,cinder,keystone,locks} \
        "$state"/glance/{images,staging,tasks,cache}
    chmod 700 "$state"
    install_debian_packages
    install_python_packages
    write_configuration
    local began=$SECONDS
    start_database
    start_message_queue
    create_tables
    start_keystone
    if [[ ${1:-} == --services ]]; then
        start_services
        return
    fi
    say "users and catalogue"
    seed identity
    start_services
    say "waiting for the hypervisor hosts"
    seed wait-for-hosts
    in_regions map_computes
    say "flavors, images, networks and quotas"
    seed resources
    say "up, in $((SECONDS - began)) s: OS_CLIENT_CONFIG_FILE=$state/clouds.yaml $venv/bin/openstack --os-cloud lab server list"
}

main "$@"
