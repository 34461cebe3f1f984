#!/bin/sh
# hygiene.sh FOLDER: what no reviewer should have to look for. Prints each finding; exits 1 when
# there is one. Patterns have a bracket in them so that this file does not find itself.
# shellcheck disable=SC2013,SC2086  # lists of files: no name of ours has a space
set -u
cd "$1" || exit 2
status=0
complain() { printf '%s\n' "$*"; status=1; }

folders=
for folder in src tests bench cmake docs examples scripts .ci; do
  [ -d "$folder" ] && folders="$folders $folder"
done
all_files=$(find $folders Makefile CMakeLists.txt README.md -type f ! -path '*/__pycache__/*' 2>/dev/null | sort)
sources=$(printf '%s\n' "$all_files" | grep -E '\.(cc|h)$')
code=$(printf '%s\n' "$all_files" | grep -E '\.(cc|h|cmake|sh|py|yaml|json)$|CMakeLists\.txt$|Makefile$' | grep -v '/golden/.*\.json$')

for file in $sources; do
  lines=$(wc -l <"$file")
  [ "$lines" -le 1000 ] || complain "$file: $lines lines; beyond 1,000 it is two things"
done

for file in $(grep -lE '\b(TO[D]O|FIX[M]E|XX[X])\b' $code 2>/dev/null); do
  complain "$file: a note to finish later; finish it or open an issue"
done

for room in src/*/; do
  [ -n "$(find "$room" -name '*.cc' -o -name '*.h')" ] || continue
  [ -f "${room}README.md" ] || complain "$room: no README.md"
done

for file in $sources; do
  name=$(basename "$file")
  printf '%s\n' "$name" | grep -qE '^[a-z][a-z0-9_]*(-inl)?\.(cc|h)$' ||
    complain "$file: file names are snake_case"
  case $name in
    *-inl.h) ;;
    *.h) [ "$(grep -m 1 . "$file")" = "#pragma once" ] ||
      complain "$file: a header opens with #pragma once" ;;
  esac
done

for file in $(grep -lIE '(^|[^A-Za-z0-9_.~-])/(wor[k]|roo[t]|hom[e]/[a-z]+|tm[p]/(wt|q|model|brief))(/|\b)' $all_files 2>/dev/null); do
  complain "$file: a path of somebody's machine"
done
for file in $(grep -lIE '\b(pypi[.]org|pythonhosted[.]org|npmjs[.]org|crates[.]io|proxy[.]golang|repo[.]maven|rubygems[.]org)' $all_files 2>/dev/null); do
  complain "$file: the host name of a package registry"
done
exit $status
