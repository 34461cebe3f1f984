# shellcheck shell=sh
# Sourced by the other scripts: one shell, one place, words on stderr.
set -eu
cd "$(dirname "$0")/.."
# A closed stdin would hand its number to the next file that is opened.
( : <&0 ) 2>/dev/null || exec </dev/null

say() { printf '%s\n' "$*" >&2; }

configure_and_build() {  # preset [targets...]
  preset=$1
  shift
  cmake --preset "$preset" </dev/null
  if [ $# -gt 0 ]; then
    cmake --build --preset "$preset" --target "$@" </dev/null
  else
    cmake --build --preset "$preset" </dev/null
  fi
}
