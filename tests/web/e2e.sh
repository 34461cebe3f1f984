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
. "$source/tests/start_server.sh"
start_server "$hone" up
HONE_LINK=$("$hone" user link Administrator --data-dir "$folder/data")
HONE_PROGRAM=$hone
export HONE_LINK HONE_PROGRAM
cd "$source/web"
npm run e2e
