#!/bin/sh
# What this machine does with the demo model, each figure beside the ceiling measured in its run.
. "$(dirname "$0")/common.sh"
scripts/install_packages.sh build model
configure_and_build release hone
model=$(scripts/get_model.sh)
for what in prefill decode score train; do
  build/release/hone bench "$what" --model "$model" </dev/null
done
