# Sourced by the set-up scripts: where the cache is, how root is asked for, how a download is tried again.

attempts=3
download_limit=300 # seconds, each attempt

# Root's home is closed to the account that runs servers, so root uses the system's cache.
if [ "$(id -u)" = 0 ]; then
    cache=/var/cache/atalaya
else
    cache=${XDG_CACHE_HOME:-$HOME/.cache}/atalaya
fi

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# Runs one line of shell as root, or says which line is needed and stops.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        sh -c "$1" >&2
    elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
        sudo sh -c "$1" >&2
    else
        fail "this needs root; run the next line as root, then try again
$1"
    fi
}

retry() {
    local attempt
    for ((attempt = 1; attempt <= attempts; attempt++)); do
        if timeout "$download_limit" "$@"; then return 0; fi
        say "attempt $attempt of $attempts failed: $1 $2"
        if ((attempt < attempts)); then sleep $((attempt * 2)); fi
    done
    return 1
}

# Debian's pgbouncer in `$cache/pgbouncer`, which tests and `make bench` run: unpacked and not installed, since its scripts
# would start a service.
pgbouncer() {
    local library missing=() work
    # What it is linked to. Named only where it is missing: apt would bring what is there up to date, and half the system
    # with it.
    for library in libc-ares2 libevent-2.1-7 libpam0g libssl3 libsystemd0; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$library" 2>/dev/null)" = installed ] || missing+=("$library")
    done
    if [ ${#missing[@]} -gt 0 ]; then
        command -v apt-get >/dev/null || fail "please install what pgbouncer is linked to, and unpack Debian's package of it into $cache/pgbouncer"
        say "installing ${missing[*]}"
        as_root "apt-get update --quiet; DEBIAN_FRONTEND=noninteractive \
            apt-get install --yes --quiet --no-install-recommends ${missing[*]}"
    fi
    if [ -x "$cache/pgbouncer/usr/sbin/pgbouncer" ]; then return 0; fi
    command -v apt-get >/dev/null || fail "please unpack Debian's pgbouncer into $cache/pgbouncer"
    say "fetching pgbouncer"
    work=$(mktemp -d "$cache/.new-pgbouncer-XXXXXX")
    # Where the lists of packages were removed, they are fetched again.
    (cd "$work" && apt-get download --quiet pgbouncer >&2) || as_root "apt-get update --quiet"
    if [ -z "$(find "$work" -name '*.deb')" ]; then
        (cd "$work" && retry apt-get download --quiet pgbouncer >&2) || fail "could not download pgbouncer"
    fi
    dpkg-deb --extract "$work"/*.deb "$work/tree"
    chmod -R u+w,go-w,a+rX "$work/tree"
    rm -rf "${cache:?}/pgbouncer"
    mv "$work/tree" "$cache/pgbouncer"
    rm -rf "$work"
}
