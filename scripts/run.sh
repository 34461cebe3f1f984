#!/bin/sh
# From nothing to a page to label on: packages, program, demo model, server with a demo project.
. "$(dirname "$0")/common.sh"
scripts/install_packages.sh build web model
configure_and_build release hone
if model=$(scripts/get_model.sh); then
  exec build/release/hone up --data-dir .hone --model "$model" "$@"
fi
say "No demo model: labelling works; to train too, stop this and say HONE_MODEL=path/to/model.gguf make run"
exec build/release/hone up --data-dir .hone "$@"
