#!/bin/sh
# The web page: web/dist, out of web/src. Needs Node 18 or newer with npm; without them it says so and
# leaves the plain page of the program in its place. Builds only when a source is newer than the page.
. "$(dirname "$0")/common.sh"
if ! command -v npm >/dev/null 2>&1; then
  say "npm is not installed: the program will serve its plain page. Install nodejs and npm, then run scripts/web.sh."
  exit 0
fi
cd web
if [ -f dist/index.html ] && [ -z "$(find src public index.html package.json package-lock.json vite.config.ts -newer dist/index.html -type f 2>/dev/null | head -n 1)" ]; then
  exit 0
fi
if [ ! -d node_modules ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  if ! npm ci --no-audit --no-fund </dev/null; then
    say "npm could not get the packages of web/package-lock.json: the program will serve its plain page. With a network: scripts/web.sh"
    exit 0
  fi
fi
npm run build </dev/null
