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
