#!/bin/sh
# unit.sh SOURCE: types and vitest of web/.
set -eu
cd "$1/web"
if [ ! -d node_modules ]; then
  echo "Skipped: web/node_modules is missing (scripts/web.sh fetches it, with npm and a network)."
  exit 77
fi
npm run check
npm test
