#!/bin/sh
# Leads the clients of a PgBouncer: one script for --hold-command, --switch-command and --release-command of
# `atalaya migrate cutover` and `rollback`. Needs transaction pooling, psql and flock, and in the environment:
#
#   PGBOUNCER_CONSOLE   its console as a connection string, such as "host=/run/pgbouncer user=admin dbname=pgbouncer"
#   PGBOUNCER_DATABASE  the database, as PgBouncer's clients name it
#   PGBOUNCER_PLACES    a folder with one file NAME.ini for each of the two databases by their names in the estate file, which
#                       holds its line below [databases]; pgbouncer.ini includes `current.ini` of this folder there:
#                       %include /etc/pgbouncer/places/current.ini
#
# Every step may be run more than once.
set -eu

console() { psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --command "$1" "$PGBOUNCER_CONSOLE"; }

# What was not held needs no release.
resume() {
    said=$(console "RESUME $PGBOUNCER_DATABASE" 2>&1) && return
    case $said in *"not paused"*) ;; *) echo "$said" >&2; return 1 ;; esac
}

# Returns once no transaction runs. Where one ran on, it is ended from outside, and the release command follows.
hold() { console "PAUSE $PGBOUNCER_DATABASE"; }

switch() {
    cd "$PGBOUNCER_PLACES"
    # One that a kill has left under way is waited for, and one that comes late leads nobody.
    exec 9>lead.lock
    flock --wait 30 9
    newest=$(cat newest-epoch 2>/dev/null || echo 0)
    if [ "$ATALAYA_EPOCH" -lt "$newest" ]; then
        echo "epoch $ATALAYA_EPOCH is over: clients were led by epoch $newest" >&2
        return 1
    fi
    echo "$ATALAYA_EPOCH" >newest-epoch
    cp "$ATALAYA_TO.ini" current.new
    mv current.new current.ini
    console RELOAD
    resume
}

case $ATALAYA_STEP in
hold) hold ;;
switch) switch ;;
release) resume ;;
*) echo "no such step: $ATALAYA_STEP" >&2; exit 64 ;;
esac
