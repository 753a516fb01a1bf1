#!/bin/sh
# Runs a command and starts it anew when it ends by itself, so that the container stays: the gateway lives in its
# network namespace, would lose its network with it, and may then ask for a second factor. TERM and INT end both,
# HUP is passed on. RESTART_S: seconds between two lives.
child=
stopping=
trap 'stopping=1; [ -n "$child" ] && kill -TERM "$child" 2>/dev/null' TERM INT
trap '[ -n "$child" ] && kill -HUP "$child" 2>/dev/null' HUP

wait_for() {
    wait "$1"
    status=$?
    while kill -0 "$1" 2>/dev/null; do # a signal ended the wait, not the child
        wait "$1"
        status=$?
    done
}

while [ -z "$stopping" ]; do
    "$@" &
    child=$!
    wait_for "$child"
    child=
    [ -n "$stopping" ] && exit "$status"
    echo "$1 ended with $status; started anew in ${RESTART_S:-5} s" >&2
    sleep "${RESTART_S:-5}" &
    wait $!
done
exit "${status:-0}"
