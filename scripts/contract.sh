#!/bin/sh
# The numerics contract: the replay tests, then the model's own check (one hash over repeats, batch
# sizes, threads and chunkings). Then the API against its own document (contract_api.sh).
. "$(dirname "$0")/common.sh"
scripts/install_packages.sh build model
model=$(scripts/get_model.sh)
configure_and_build release hone tensor_test llm_test tensor_hash
HONE_MODEL=$(realpath "$model") ctest --preset release -R '^(tensor|llm|replay)' </dev/null
build/release/hone selfcheck --model "$model" </dev/null
scripts/contract_api.sh
