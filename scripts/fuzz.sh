#!/bin/sh
# Builds every fuzz target and runs each for FUZZ_SECONDS (300). What is found stays in
# build/fuzz/found; add it to tests/fuzz/corpus with the fix.
. "$(dirname "$0")/common.sh"
scripts/install_packages.sh build fuzz
seconds=${FUZZ_SECONDS:-300}
configure_and_build fuzz fuzz_targets

failed=
for target in build/fuzz/tests/fuzz/*_fuzz; do
  name=$(basename "$target" _fuzz)
  mkdir -p "build/fuzz/corpus/$name" build/fuzz/found "tests/fuzz/corpus/$name"
  say "$name: $seconds s"
  if ! "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
      -artifact_prefix="build/fuzz/found/${name}_" \
      "build/fuzz/corpus/$name" "tests/fuzz/corpus/$name" >"build/fuzz/$name.log" 2>&1 </dev/null; then
    tail -n 30 "build/fuzz/$name.log" >&2
    failed="$failed $name"
  fi
  grep -E 'stat::number_of_executed_units|Done' "build/fuzz/$name.log" || true
done
if [ -n "$failed" ]; then
  say "Found something in:$failed (see build/fuzz/found)"
  exit 1
fi
