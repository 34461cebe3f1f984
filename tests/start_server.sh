# Sourced by tests that need a running server: start_server HONE WORDS.. starts `hone WORDS` on a new
# data folder and a free port, sets folder and HONE_URL, and ends both with the script.
folder=$(mktemp -d)
server=
finish() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  [ -z "$server" ] || wait "$server" 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT INT TERM

start_server() {
  program=$1
  shift
  "$program" "$@" --data-dir "$folder/data" --listen 127.0.0.1:0 --quiet >"$folder/out" 2>"$folder/err" &
  server=$!
  tries=0
  while ! grep -q '^listening on' "$folder/out"; do
    tries=$((tries + 1))
    if [ $tries -gt 600 ] || ! kill -0 "$server" 2>/dev/null; then
      echo "hone $1 did not start:"
      cat "$folder/out" "$folder/err"
      exit 1
    fi
    sleep 0.1
  done
  HONE_URL=$(sed -n 's/^listening on //p' "$folder/out")
  export HONE_URL
}
