#!/bin/sh
# Runs a command and starts it anew when it ends by itself, so that the container stays: the gateway lives in its
# network namespace, would lose its network with it, and may then ask for a second factor. TERM and INT end both,
# HUP is passed on. Between two lives pass RESTART_S seconds, twice as many after each life shorter than a minute, and
# RESTART_S_MAX at most: a Vault that is sealed all night is not knocked at every five seconds.
first_s=${RESTART_S:-5}
max_s=${RESTART_S_MAX:-60}
steady_s=60
pause_s=$first_s
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

why() {
    case $1 in
    3) echo ": the configuration cannot be used" ;;
    5) echo ": a secret cannot be read, as while Vault is sealed; nothing starts without it (docs/runbooks/vault.md)" ;;
    20) echo ": another process has the client id or the data directory" ;;
    25) echo ": another machine took the lease; it stands by from the next start" ;;
    esac
}

while [ -z "$stopping" ]; do
    began_s=$(date +%s)
    "$@" &
    child=$!
    wait_for "$child"
    child=
    [ -n "$stopping" ] && exit "$status"
    [ $(($(date +%s) - began_s)) -ge "$steady_s" ] && pause_s=$first_s
    echo "$1 ended with $status$(why "$status"); started anew in $pause_s s" >&2
    sleep "$pause_s" &
    pause=$!
    wait "$pause"
    kill "$pause" 2>/dev/null # where a signal ended the wait
    pause_s=$((pause_s * 2 > max_s ? max_s : pause_s * 2))
done
exit "${status:-0}"
