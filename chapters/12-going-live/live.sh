#!/usr/bin/env bash
# Chapter 12 on this machine: a store, two servers, and nginx with TLS in front of them.
#
# Run: just live, or over a store of yours: just live postgres://USER@HOST/DATABASE
# Try: sign in, press Enter here, and go on clicking. Both servers are replaced.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export PATH="$PATH:/usr/sbin" # where Debian has nginx
store=${1:-${SESSION_STORE:-}}
https_port=${HTTPS_PORT:-8443}
http_port=${HTTP_PORT:-8080}

have() { command -v "$1" >/dev/null; }
fail() { echo "error: $*" >&2; exit 1; }
postgres=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1 || true)
for program in nginx openssl curl; do
  have "$program" || fail "$program is missing. On Debian: apt-get install $program"
done
if [ -z "$store" ] && [ -z "$postgres" ] && ! have redis-server; then
  fail "there is no store. Install PostgreSQL or Redis (on Debian: apt-get install redis-server), or" \
    "name one: just live postgres://USER@HOST/DATABASE"
fi

# Everything is in one folder, which goes at the end.
folder=$(mktemp --directory)
chmod 755 "$folder"
as_postgres() { # It refuses to run as root.
  if [ "$(id -u)" = 0 ]; then (cd "$folder" && runuser -u postgres -- "$@"); else "$@"; fi
}
servers=()
stop_all() {
  trap - EXIT INT TERM
  echo "Stopping."
  nginx -e stderr -p "$folder" -c nginx.conf -s quit 2>/dev/null || true
  for server in "${servers[@]}"; do kill "$server" 2>/dev/null || true; done
  wait "${servers[@]}" 2>/dev/null || true
  case "${own_store:-}" in
    postgres) as_postgres "$postgres/pg_ctl" -D "$folder/data/postgres" --silent -m fast stop ;;
    redis) kill "$redis" 2>/dev/null || true; wait "$redis" 2>/dev/null || true ;;
  esac
  rm -rf "$folder"
}
trap stop_all EXIT
trap 'exit 0' INT TERM

# 1. The store.
store_port=$((20000 + RANDOM % 10000))
mkdir "$folder/data"
if [ -z "$store" ] && [ -n "$postgres" ]; then
  if [ "$(id -u)" = 0 ]; then chown postgres "$folder/data"; fi
  as_postgres "$postgres/initdb" -D "$folder/data/postgres" -U postgres --auth=trust >"$folder/store.log"
  as_postgres "$postgres/pg_ctl" -D "$folder/data/postgres" --wait --silent -l "$folder/data/log" \
    -o "-c listen_addresses=127.0.0.1 -c port=$store_port -c unix_socket_directories=" start
  own_store=postgres
  store="postgres://postgres@127.0.0.1:$store_port/postgres"
elif [ -z "$store" ]; then
  redis-server --port "$store_port" --bind 127.0.0.1 --appendonly yes --dir "$folder/data" \
    >"$folder/store.log" &
  redis=$!
  own_store=redis
  store="redis://127.0.0.1:$store_port/"
  until redis-cli -p "$store_port" ping >/dev/null 2>&1; do sleep 0.1; done
fi
export SESSION_STORE="$store" # not an argument, which the list of processes would show

# 2. The servers. Each takes a free port, so a new one can start while the old one still runs.
if [ -z "${CHAPTER_12:-}" ]; then
  (cd "$here" && cargo build --quiet --package chapter-12)
  CHAPTER_12="$here/../../target/debug/chapter-12"
fi
start() { # The new server's process is in $server, and its address in $address.
  local log="$folder/server-$1.log"
  "$CHAPTER_12" --port 0 --behind-proxy 127.0.0.1 --no-inspector --drain 1 --metrics-port 0 \
    --database "$folder/library.sqlite" >"$log" 2>&1 &
  server=$!
  until address=$(grep -o 'Open http://[0-9.:]*' "$log" 2>/dev/null | cut -d/ -f3) &&
    [ "$(curl -s -o "$folder/ready" -w '%{http_code}' "http://$address/readyz")" = 200 ]; do
    kill -0 "$server" 2>/dev/null || { cat "$log" >&2; fail "a server did not start"; }
    sleep 0.1
  done
}
write_upstream() {
  printf 'upstream servers {\n' >"$folder/upstream.new"
  for address in "${addresses[@]}"; do
    # Passive health checks: a server that has failed twice is not asked for five seconds.
    printf '    server %s max_fails=2 fail_timeout=5s;\n' "$address" >>"$folder/upstream.new"
  done
  printf '}\n' >>"$folder/upstream.new"
  mv "$folder/upstream.new" "$folder/upstream.conf" # at once: nginx never reads half a file
}
addresses=()
for number in 0 1; do
  start "$number"
  servers[number]=$server
  addresses[number]=$address
  echo "Server $((number + 1)) is process $server."
done

# 3. nginx.
bash "$here/deploy/make-certificate.sh" "$folder"
sed "s/8443/$https_port/g; s/8080/$http_port/g" "$here/deploy/nginx.conf" >"$folder/nginx.conf"
write_upstream
nginx -e stderr -p "$folder" -c nginx.conf || fail "nginx did not start; choose ports: HTTPS_PORT=9443" \
  "HTTP_PORT=9080 just live"

echo "Open https://127.0.0.1:$https_port in a browser (Ctrl-C stops everything)"
echo "It warns of the certificate, which this machine has made itself: go on."
grep -h '^Metrics:' "$folder"/server-*.log
echo "Try: sign in as ada, press Enter here to replace both servers, and go on clicking"

# 4. A deploy: for each server a new one, then a word to nginx, then the end of the old one.
deploys=0
while read -r; do
  deploys=$((deploys + 1))
  for number in 0 1; do
    start "$deploys-$number"
    old=${servers[number]}
    servers[number]=$server
    addresses[number]=$address
    write_upstream
    nginx -e stderr -p "$folder" -c nginx.conf -s reload 2>>"$folder/nginx.log"
    # SIGTERM: /readyz says 503, and a second later the server ends what it has begun.
    kill "$old" 2>/dev/null || echo "Server $((number + 1)) had ended already."
    wait "$old" || true
    echo "Server $((number + 1)) is replaced; the new one is process $server."
  done
  echo "Both servers are replaced."
done
# The input has ended: no terminal, so there will be no deploy.
wait "${servers[@]}"
