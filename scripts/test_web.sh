#!/bin/sh
# The web page's tests: types, units and components; then the journeys and the accessibility of every
# screen in Chromium, against build/release/hone (`hone up`) with a data folder of its own.
. "$(dirname "$0")/common.sh"
if ! command -v npm >/dev/null 2>&1; then
  say "npm is not installed: the tests of the web page skip."
  exit 0
fi
program=$(pwd)/build/release/hone
scripts/web.sh
cd web
if [ ! -d node_modules ]; then
  say "The packages of the web page are not there: its tests skip."
  exit 0
fi
npm run check </dev/null
npm test </dev/null

if [ ! -x "${CHROMIUM:-/usr/bin/chromium}" ]; then
  say "Chromium is not installed: the journeys in the browser skip."
  exit 0
fi
if ! [ -x "$program" ] || ! "$program" up --help >/dev/null 2>&1; then
  say "build/release/hone cannot serve: the journeys run against the stand-in of web/dev."
  npm run e2e </dev/null
  exit
fi
folder=$(mktemp -d)
server=
finish() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  [ -z "$server" ] || wait "$server" 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT
"$program" up --data-dir "$folder/data" --listen 127.0.0.1:0 >"$folder/out" 2>"$folder/err" </dev/null &
server=$!
tries=0
until grep -q '/sign-in#token=' "$folder/out"; do
  tries=$((tries + 1))
  if [ "$tries" -gt 100 ] || ! kill -0 "$server" 2>/dev/null; then
    say "hone up did not start:"
    cat "$folder/err" >&2
    exit 1
  fi
  sleep 0.1
done
HONE_LINK=$(sed -n 's/.*\(http[^ ]*\/sign-in#token=[^ ]*\).*/\1/p' "$folder/out" | head -n 1)
HONE_URL=${HONE_LINK%%/sign-in*}
export HONE_LINK HONE_URL
npm run e2e </dev/null
