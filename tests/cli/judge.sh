# shellcheck shell=sh disable=SC2154
# Sourced by the tests of wrong input, with $hone set: calls the program and judges what it says.
failures=0 count=0

complain() { printf '%s\n' "$*"; failures=$((failures + 1)); }

refused() {  # code, words that must be said, command line
  code=$1 words=$2
  shift 2
  count=$((count + 1))
  "$hone" "$@" >out 2>err </dev/null
  judge "$?" "$*"
}

judge() {  # exit code, what was called
  [ "$1" -eq "$code" ] || complain "exit $1 instead of $code: hone $2: $(cat err)"
  grep -qF -- "$words" err || complain "does not say \"$words\": hone $2: $(cat err)"
  [ "$(grep -c . err)" -eq 1 ] || complain "not one sentence: hone $2: $(cat err)"
  grep -q '^hone: ' err || complain "not hone's words: hone $2: $(cat err)"
}

verdict() {
  if [ "$failures" -gt 0 ]; then
    echo "$failures of $count went wrong"
    exit 1
  fi
  echo "$count wrong inputs, each refused in one sentence"
}
