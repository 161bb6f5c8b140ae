#!/usr/bin/env bash
# Installs what `make bench` measures us against: pgcopydb from the system's packages, reladiff from PyPI in a folder of
# its own. Prints the path of reladiff. Safe to run again at any time.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/common.sh
source "$root/scripts/common.sh"
pinned=$root/scripts/bench-requirements.txt
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

mkdir -p "$peers"
if ! cmp --silent "$pinned" "$peers/reladiff/.pinned"; then
    say "installing reladiff"
    rm -rf "$peers/reladiff"
    python3 -m venv "$peers/reladiff"
    retry "$peers/reladiff/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: \
        --requirement "$pinned" >&2 || fail "could not install reladiff"
    cp "$pinned" "$peers/reladiff/.pinned"
fi
echo "$peers/reladiff/bin/reladiff"
