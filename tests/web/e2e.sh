#!/bin/sh
# e2e.sh SOURCE HONE: the journeys of web/e2e in headless Chromium against `hone up` on a new data folder.
set -eu
source=$1
hone=$2
browser=${CHROMIUM:-/usr/bin/chromium}
if [ ! -d "$source/web/node_modules" ] || [ ! -f "$source/web/dist/index.html" ]; then
  echo "Skipped: the page is not built (scripts/web.sh builds it, with npm and a network)."
  exit 77
fi
if [ ! -x "$browser" ]; then
  echo "Skipped: there is no browser at $browser (Debian's package chromium, or CHROMIUM=path)."
  exit 77
fi
folder=$(mktemp -d)
server=
finish() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  [ -z "$server" ] || wait "$server" 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT INT TERM
"$hone" up --data-dir "$folder/data" --listen 127.0.0.1:0 --quiet >"$folder/out" 2>"$folder/err" &
server=$!
tries=0
while ! grep -q 'sign in' "$folder/out"; do
  tries=$((tries + 1))
  if [ $tries -gt 300 ] || ! kill -0 "$server" 2>/dev/null; then
    echo "hone up did not start:"
    cat "$folder/out" "$folder/err"
    exit 1
  fi
  sleep 0.1
done
HONE_URL=$(sed -n 's/^listening on //p' "$folder/out")
HONE_LINK=$("$hone" user link Administrator --data-dir "$folder/data")
export HONE_URL HONE_LINK
cd "$source/web"
npm run e2e
