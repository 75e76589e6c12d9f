#!/bin/sh
# Valkey, or with `sentinel` one of its sentinels. What it is told stands in a file of the volume,
# which is written at the first start alone: a failover rewrites it, and so a primary that was
# replaced comes back as a replica. The password comes from a file and stands on no command line.
#
#   engine.sh [sentinel]           run
#   engine.sh health [sentinel]    status 0: it answers
set -eu
umask 077

role=engine
health=
for word in "$@"; do
    case $word in
        sentinel) role=sentinel ;;
        health) health=yes ;;
        *) echo "usage: engine.sh [health] [sentinel]" >&2; exit 2 ;;
    esac
done

: "${ENGINE_HOST:?the name by which others reach this one}"
: "${ENGINE_PRIMARY:?the name of the first primary}"
primary_port=${ENGINE_PRIMARY_PORT:-6379}
data=${ENGINE_DATA:-/data}
password=$(cat "${ENGINE_PASSWORD_FILE:-/run/secrets/engine_password}")
case $role in
    sentinel) port=${ENGINE_PORT:-26379} ;;
    engine) port=${ENGINE_PORT:-6379} ;;
esac

if [ -n "$health" ]; then
    # A replica that is still loading says LOADING, which is no PONG.
    [ "$(REDISCLI_AUTH=$password valkey-cli -p "$port" ping)" = PONG ]
    exit
fi

configuration=$data/$role.conf

engine() {
    cat <<END
port $port
dir $data
requirepass $password
primaryauth $password
appendonly yes
appendfsync always
save ""
maxmemory-policy noeviction
min-replicas-to-write 1
min-replicas-max-lag 2
repl-backlog-size 64mb
repl-diskless-sync-delay 0
client-output-buffer-limit pubsub 64mb 16mb 60
replica-announce-ip $ENGINE_HOST
replica-announce-port $port
enable-debug-command no
enable-module-command no
END
    if [ "$ENGINE_HOST:$port" != "$ENGINE_PRIMARY:$primary_port" ]; then
        echo "replicaof $ENGINE_PRIMARY $primary_port"
    fi
}

sentinel() {
    cat <<END
port $port
dir $data
requirepass $password
sentinel sentinel-pass $password
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $ENGINE_HOST
sentinel announce-port $port
sentinel monitor batonbox $ENGINE_PRIMARY $primary_port 2
sentinel auth-pass batonbox $password
sentinel down-after-milliseconds batonbox 1000
sentinel failover-timeout batonbox 6000
sentinel parallel-syncs batonbox 2
END
}

if [ ! -s "$configuration" ]; then
    "$role" >"$configuration.new"
    mv "$configuration.new" "$configuration"
fi
case $role in
    sentinel) exec valkey-server "$configuration" --sentinel ;;
    engine) exec valkey-server "$configuration" ;;
esac
