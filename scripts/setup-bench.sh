#!/usr/bin/env bash
# Installs what `make bench` measures us against: pgcopydb from the system's packages, reladiff and eventsourcing from PyPI
# in folders of their own, a program around the crate cqrs-es, built from a workspace of its own, and pgbouncer, whose package
# is unpacked and not installed. Then runs the command that it was given with their paths in its environment. Safe to run
# again at any time.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/common.sh
source "$root/scripts/common.sh"
peers=$cache/bench

missing=()
command -v pgcopydb >/dev/null || missing+=(pgcopydb)
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
if [ ${#missing[@]} -gt 0 ]; then
    command -v apt-get >/dev/null || fail "please install ${missing[*]}"
    say "installing ${missing[*]}"
    as_root "apt-get update --quiet; DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --quiet --no-install-recommends ${missing[*]}"
fi

from_pypi() { # NAME, pinned in a file of its own
    local pinned=$root/scripts/bench-requirements/$1.txt
    if cmp --silent "$pinned" "$peers/$1/.pinned"; then return 0; fi
    say "installing $1"
    rm -rf "${peers:?}/$1"
    python3 -m venv "$peers/$1"
    retry "$peers/$1/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: \
        --requirement "$pinned" >&2 || fail "could not install $1"
    cp "$pinned" "$peers/$1/.pinned"
}

mkdir -p "$peers"
pgbouncer
from_pypi reladiff
from_pypi eventsourcing
cargo build --locked --release --manifest-path "$root/crates/dev/bench/peers/cqrs-es/Cargo.toml" \
    --target-dir "$peers/cqrs-es" >&2 || fail "could not build the peer cqrs-es"

export RELADIFF="$peers/reladiff/bin/reladiff"
export PGBOUNCER="$cache/pgbouncer/usr/sbin/pgbouncer"
export EVENTSOURCING="$peers/eventsourcing/bin/python"
export CQRS_ES="$peers/cqrs-es/release/bench-cqrs-es"
if [ $# -gt 0 ]; then exec "$@"; fi
