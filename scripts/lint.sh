#!/bin/sh
# Layout by clang-format, likely mistakes by clang-tidy, over the sources that git knows, and the
# scripts by shellcheck. Exits 1 when there is a finding.
. "$(dirname "$0")/common.sh"
scripts/install_packages.sh build lint

if ! files=$(git ls-files -- 'src/*.h' 'src/*.cc' 'tests/*.h' 'tests/*.cc' 2>/dev/null); then
  files=$(find src tests -name '*.h' -o -name '*.cc')
fi
log=build/lint
mkdir -p "$log"

: >"$log/format.txt"
# shellcheck disable=SC2086  # one word a file; no file name of ours has a space
for file in $files; do
  clang-format-14 --dry-run -Werror "$file" >/dev/null 2>&1 || echo "$file" >>"$log/format.txt"
done

shellcheck -x -P scripts scripts/*.sh tests/house/*.sh tests/cli/*.sh .ci/run >"$log/shell.txt" || true

cmake --preset tidy </dev/null >/dev/null
sources=$(printf '%s\n' "$files" | grep '^src/.*\.cc$')
printf '%s\n' "$sources" | xargs -P "$(nproc)" -n 1 clang-tidy-14 -p build/tidy --quiet \
  >"$log/tidy.txt" 2>"$log/tidy_messages.txt" || true

count_format=$(grep -c . "$log/format.txt" || true)
count_tidy=$(grep -E ': (warning|error): ' "$log/tidy.txt" | sort -u | tee "$log/tidy_lines.txt" | grep -c . || true)
count_shell=$(grep -c '^In ' "$log/shell.txt" || true)
cat "$log/format.txt" "$log/tidy_lines.txt" "$log/shell.txt"
say "clang-format: $count_format files differ. clang-tidy: $count_tidy findings. shellcheck: $count_shell. Full text: $log"
[ "$count_format" -eq 0 ] && [ "$count_tidy" -eq 0 ] && [ "$count_shell" -eq 0 ]
