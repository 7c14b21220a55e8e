#!/usr/bin/env bash
# The project on a bare Debian 12, as an ordinary user: make test and make demo in a chroot that has nothing but
# Python 3.11 with venv, make and git.
#
#   fresh.sh [FOLDER]     as root; FOLDER keeps the bare system for the next time [/var/tmp/novadeck-fresh]
#
# It takes the last commit of this checkout. The Debian mirror and pip's settings are those of this machine; local
# folders that these settings name are shown to the chroot, read-only.
set -euo pipefail

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
folder=${1:-/var/tmp/novadeck-fresh}
bare=$folder/bare system=$folder/system
home=/home/ordinary

say() { printf '\n== %(%H:%M:%S)T  %s\n' -1 "$*"; }
die() { printf 'fresh.sh: %s\n' "$*" >&2; exit 1; }

[[ $(id -u) == 0 ]] || die "a chroot needs root"
command -v debootstrap >/dev/null || die "apt-get install debootstrap first"

# Where this machine gets its Debian packages from.
mirror() {
    sed -nE 's/^URIs: +(\S*debian)\/?$/\1/p; s/^deb +(\[[^]]*\] +)?(\S*debian)\/? .*/\2/p' \
        /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1
}

make_bare_system() {
    [[ -e $bare/.whole ]] && return 0
    say "debootstrap"
    rm -rf "$bare"
    debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv,make,git \
        bookworm "$bare" "$(mirror)" >"$folder/debootstrap.log" 2>&1 || die "see $folder/debootstrap.log"
    touch "$bare/.whole"
}

# show PATH: let the chroot see a file or folder of this machine, read-only.
show() {
    [[ -e $1 ]] || return 0
    mkdir -p "$(dirname "$system$1")"
    if [[ -d $1 ]]; then mkdir -p "$system$1"; else touch "$system$1"; fi
    mount --bind "$1" "$system$1"
    mount -o remount,bind,ro "$system$1"
}

mount_all() {
    mount --bind "$system" "$system"
    mount -t proc proc "$system/proc"
    mount --bind /dev "$system/dev"
    mount -t devpts -o newinstance,ptmxmode=0666 devpts "$system/dev/pts" 2>/dev/null || mount --bind /dev/pts "$system/dev/pts"
    local path
    for path in /etc/resolv.conf /etc/hosts /etc/ssl/certs; do show "$path"; done
    # Package folders and lists of versions on this machine, as pip's own settings name them.
    for path in $(python3 -m pip config list 2>/dev/null | grep -oE "(file://)?/[^' ]+" | sed 's|^file://||; s|/simple$||' | sort -u); do
        [[ -e $path && ! -e $system$path ]] && show "$path"
    done
    return 0
}

# pip's settings on this machine, from wherever it has them, as the chroot's own.
write_pip_settings() {
    { echo "[global]"; python3 -m pip config list 2>/dev/null | sed -nE "s/^global\.([^=]+)='(.*)'$/\1 = \2/p"; } >"$system/etc/pip.conf"
}

unmount_all() {
    awk -v at="$system" '$2 == at || index($2, at "/") == 1 {print $2}' /proc/mounts | sort -r | while read -r point; do
        umount -l "$point"
    done
}

# as_user COMMAND: in the chroot, with this machine's pip and proxy settings and nothing else of its environment.
as_user() {
    local settings
    mapfile -t settings < <(env | grep -E '^(PIP_|(https?|no|all)_proxy=|(HTTPS?|NO|ALL)_PROXY=|SSL_CERT_FILE=|REQUESTS_CA_BUNDLE=)')
    chroot --userspec=ordinary:ordinary "$system" /usr/bin/env -i "${settings[@]}" HOME="$home" USER=ordinary \
        TERM=xterm-256color LANG=C.UTF-8 PATH=/usr/local/bin:/usr/bin:/bin bash -c "cd $home/novadeck && $1"
}

mkdir -p "$folder"
trap unmount_all EXIT
unmount_all
make_bare_system
say "a fresh system and a fresh clone"
rm -rf "$system"
cp -a "$bare" "$system"
chroot "$system" useradd --create-home --home-dir "$home" --shell /bin/bash ordinary
git clone --quiet --no-hardlinks "$project" "$system$home/novadeck"
chroot "$system" chown -R ordinary:ordinary "$home"
write_pip_settings
mount_all

say "make test"
as_user 'make test'
say "make demo"
as_user 'python3 tests/openstack/onscreen.py make demo'
say "both work, in $((SECONDS / 60)) min $((SECONDS % 60)) s"
