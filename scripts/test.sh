#!/bin/sh
# test.sh PRESET...: builds each preset and runs all of its tests. Tests that need the demo model
# or the shared data sets skip, in words, where there are none.
. "$(dirname "$0")/common.sh"
scripts/install_packages.sh build web
if ! scripts/install_packages.sh mpi; then say "There is no MPI: the tests of several ranks skip."; fi
if ! scripts/install_packages.sh browser; then say "There is no browser: the end-to-end tests skip."; fi
if ! scripts/install_packages.sh model; then say "python3-pip is missing: no model by pip"; fi

if model=$(scripts/get_model.sh); then
  HONE_MODEL=$(realpath "$model")
  export HONE_MODEL
elif [ -n "${HONE_MODEL:-}" ]; then
  exit 2
else
  say "No demo model: the tests that need it skip."
fi
if [ -z "${HONE_SHARED_DATA:-}" ] && [ -d ../shared/data ]; then
  HONE_SHARED_DATA=$(realpath ../shared/data)
  export HONE_SHARED_DATA
fi
[ -n "${HONE_SHARED_DATA:-}" ] || say "No HONE_SHARED_DATA: the tests over real data sets skip."

failed=
for preset in "$@"; do
  configure_and_build "$preset"
  ctest --preset "$preset" </dev/null || failed="$failed $preset"
done
if [ -n "$failed" ]; then
  say "Tests failed with:$failed"
  exit 1
fi
