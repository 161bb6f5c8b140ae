#!/usr/bin/env bash
# Installs what the gateway's tests try it with: clients that nobody here wrote, each in the version pinned beside the
# programs in `crates/dev/clients/programs`, and the regression SQL of Postgres 15 from Debian's source package. And
# pgbouncer, whose clients a cutover leads.
# Safe to run again at any time; does nothing, in about a second, when everything is in place.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/common.sh
source "$root/scripts/common.sh"
programs=$root/crates/dev/clients/programs
clients=$cache/clients

# Debian's packages, each by what shows that it, or its like from elsewhere, is there.
system_packages() {
    local missing=()
    command -v javac >/dev/null || missing+=(default-jdk-headless)
    [ -e /usr/share/java/postgresql.jar ] || missing+=(libpostgresql-jdbc-java)
    command -v node >/dev/null || missing+=(nodejs)
    if ! in_place node package-lock.json && ! command -v npm >/dev/null; then missing+=(npm); fi
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null || fail "please install ${missing[*]}"
    say "installing ${missing[*]}"
    # An update that fails in part, for a mirror nobody needs here, is judged by the install after it.
    as_root "apt-get update --quiet; DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --quiet --no-install-recommends ${missing[*]}"
}

in_place() { # FOLDER PINS
    cmp --silent "$programs/$1/$2" "$clients/$1/.pinned"
}

from_pypi() { # FOLDER
    in_place "$1" requirements.txt && return 0
    say "installing $1"
    rm -rf "${clients:?}/$1"
    python3 -m venv "$clients/$1"
    retry "$clients/$1/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: \
        --requirement "$programs/$1/requirements.txt" >&2 || fail "could not install $1"
    cp "$programs/$1/requirements.txt" "$clients/$1/.pinned"
}

from_npm() {
    in_place node package-lock.json && return 0
    say "installing node-postgres"
    rm -rf "${clients:?}/node"
    mkdir "$clients/node"
    cp "$programs/node/package.json" "$programs/node/package-lock.json" "$clients/node"
    (cd "$clients/node" && retry npm ci --silent --ignore-scripts --no-audit --no-fund >&2) || fail "could not install node-postgres"
    cp "$programs/node/package-lock.json" "$clients/node/.pinned"
}

# The system's own package sources, asked for source packages: in a list of its own, so that nothing of apt's changes.
source_lists() { # FOLDER
    local file
    mkdir -p "$1/parts" "$1/lists/partial" "$1/archives/partial"
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
        case $file in
        *.list) [ -e "$file" ] && sed -n 's/^deb[[:space:]]/deb-src /p' "$file" >"$1/parts/$(basename "$file")" ;;
        *.sources) [ -e "$file" ] && sed 's/^Types:.*/Types: deb-src/' "$file" >"$1/parts/$(basename "$file")" ;;
        esac
    done
    return 0
}

regression_sql() {
    if [ -e "$clients/regress/.complete" ]; then return 0; fi
    # Elsewhere than on Debian its package cannot be had: the test that needs it says so.
    command -v apt-get >/dev/null || return 0
    say "fetching the regression SQL of Postgres 15"
    work=$(mktemp -d "$clients/.new-regress-XXXXXX")
    source_lists "$work"
    # Verified by the archive's signature, as every package is. A list that cannot be had, of whoever offers no sources,
    # is judged by the download.
    local version options=(--quiet --quiet -o "Dir::Etc::sourcelist=/dev/null" -o "Dir::Etc::sourceparts=$work/parts"
        -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work" -o "APT::Sandbox::User=$(id -un)" -o "APT::Get::List-Cleanup=0" -o "Acquire::Retries=2")
    retry apt-get "${options[@]}" update >&2 || true
    # A mirror may list a version that it does not have, yet or any more: then the next older one does as well.
    while read -r version; do
        if (cd "$work" && apt-get "${options[@]}" source --download-only "postgresql-15=$version" >&2); then break; fi
    done < <(apt-cache "${options[@]}" madison postgresql-15 | awk '$NF == "Sources" { print $3 }' | sort -ruV)
    [ -n "$(find "$work" -maxdepth 1 -name 'postgresql-15_*.orig.tar.*')" ] \
        || fail "could not download the source package of postgresql-15"
    # Python reads what tar would need another program for.
    python3 - "$work" <<'PYTHON'
import glob, os, sys, tarfile
work = sys.argv[1]
[archive] = glob.glob(os.path.join(work, "postgresql-15_*.orig.tar.*"))
wanted = ("sql/", "data/", "expected/", "parallel_schedule")
with tarfile.open(archive) as tar:
    for member in tar:
        name = member.name.partition("/")[2]
        rest = name.removeprefix("src/test/regress/")
        if member.isfile() and rest != name and rest.startswith(wanted):
            path = os.path.join(work, "tree", rest)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(tar.extractfile(member).read())
PYTHON
    touch "$work/tree/.complete"
    rm -rf "$clients/regress"
    mv "$work/tree" "$clients/regress"
    rm -rf "$work"
}

work=""
trap 'if [ -n "$work" ]; then rm -rf "$work"; fi' EXIT

umask 022
mkdir -p "$clients"
# Two set-ups at once: the second waits, then finds everything done.
exec 9>"$cache/setup-clients.lock"
flock --wait 1800 9 || fail "another set-up has been running for half an hour"

system_packages
pgbouncer
from_pypi psycopg
from_pypi asyncpg
from_npm
regression_sql
cargo build --quiet --locked --manifest-path "$programs/rust/Cargo.toml" --target-dir "$clients/rust" 9>&- >&2 \
    || fail "could not build the clients in Rust"
