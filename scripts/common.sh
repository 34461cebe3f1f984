# shellcheck shell=sh
# Sourced by the other scripts: one shell, one place, words on stderr.
set -eu
# A model named from where the person stands, before we go to the project's folder.
case ${HONE_MODEL:-} in
  '' | /*) ;;
  *) HONE_MODEL=$(pwd)/$HONE_MODEL && export HONE_MODEL ;;
esac
cd "$(dirname "$0")/.."
# A closed stdin would hand its number to the next file that is opened.
( : <&0 ) 2>/dev/null || exec </dev/null

say() { printf '%s\n' "$*" >&2; }

configure_and_build() {  # preset [targets...]
  preset=$1
  shift
  scripts/web.sh
  cmake --preset "$preset" </dev/null
  if [ $# -gt 0 ]; then
    cmake --build --preset "$preset" --target "$@" </dev/null
  else
    cmake --build --preset "$preset" </dev/null
  fi
}
