#!/bin/sh
# hygiene.sh finds each thing it is there for, and nothing in a tidy tree.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

mkdir -p "$tree/src/tidy" "$tree/docs"
echo "# tidy" >"$tree/src/tidy/README.md"
printf '#pragma once\nint one();\n' >"$tree/src/tidy/good_name.h"
if ! sh "$here/hygiene.sh" "$tree"; then
  echo "a tidy tree was refused"
  exit 1
fi

mkdir -p "$tree/src/bare"
yes 'int x;' | head -n 1001 >"$tree/src/bare/long_file.cc"
printf '// %s%s: later\n' TO DO >"$tree/src/tidy/later.cc"
echo 'int y;' >"$tree/src/tidy/CamelName.cc"
printf '#ifndef GUARD\n#define GUARD\n#endif\n' >"$tree/src/tidy/guarded.h"
printf 'see /%s/notes\n' work >"$tree/docs/path.md"
printf 'from %s.%s\n' pypi org >"$tree/docs/host.md"

findings=$(sh "$here/hygiene.sh" "$tree") && { echo "an untidy tree passed"; exit 1; }
for expected in 'long_file.cc: 1001 lines' 'later.cc: a note' 'src/bare/: no README' \
  'CamelName.cc: file names' 'guarded.h: a header' 'path.md: a path' 'host.md: the host'; do
  if ! printf '%s\n' "$findings" | grep -qF "$expected"; then
    printf 'not found: %s\nin:\n%s\n' "$expected" "$findings"
    exit 1
  fi
done
[ "$(printf '%s\n' "$findings" | wc -l)" -eq 7 ] || { printf 'too many:\n%s\n' "$findings"; exit 1; }
