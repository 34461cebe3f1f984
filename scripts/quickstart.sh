#!/bin/sh
# The loop on the command line: packages, program, demo model, quickstart.
. "$(dirname "$0")/common.sh"
scripts/install_packages.sh build web model
configure_and_build release hone
model=$(scripts/get_model.sh)
exec build/release/hone quickstart --model "$model"
