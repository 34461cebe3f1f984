#!/bin/sh
# From nothing to a model that a person sees has learnt: packages, program, demo model, quickstart.
. "$(dirname "$0")/common.sh"
scripts/install_packages.sh build model
configure_and_build release hone
model=$(scripts/get_model.sh)
exec build/release/hone quickstart --model "$model"
