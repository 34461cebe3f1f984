#!/bin/sh
# The API against its own OpenAPI document: schemathesis (from PyPI, in a folder of its own below
# build/, only when this runs) asks a live server what its document allows and what it does not.
# CONTRACT_EXAMPLES=20: how many requests of each kind an operation gets.
. "$(dirname "$0")/common.sh"
scripts/install_packages.sh build contract
configure_and_build release api_contract_server
tools=build/contract
if [ ! -x "$tools/bin/schemathesis" ]; then
  python3 -m venv "$tools"
  "$tools/bin/pip" install --quiet 'schemathesis==4.32.5'
fi
folder=$(mktemp -d)
mkfifo "$folder/in"
build/release/tests/api/api_contract_server "$folder/data" <"$folder/in" >"$folder/out" &
server=$!
exec 3>"$folder/in"
trap 'exec 3>&-; wait $server 2>/dev/null; rm -rf "$folder"' EXIT
for _ in $(seq 600); do [ -s "$folder/out" ] && break; sleep 0.1; done
[ -s "$folder/out" ] || { echo "the server did not start"; exit 1; }
field() { sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/" "$folder/out"; }
contract() {
  HONE_CONTRACT_IDS="$folder/out" SCHEMATHESIS_HOOKS=tests/api/contract_hooks.py \
    "$tools/bin/schemathesis" --config-file tests/api/schemathesis.toml \
    run "$(field url)/api/v1/openapi.json" --header "Authorization: Bearer $(field token)" \
    --max-examples "${CONTRACT_EXAMPLES:-20}" --workers 1 --suppress-health-check too_slow "$@"
}
# What would take the tester's own rights away comes last, alone.
contract --exclude-path /events --exclude-path /session --exclude-operation-id tokens.revoke \
  --exclude-operation-id people.remove --exclude-operation-id people.change
contract --include-operation-id people.change
