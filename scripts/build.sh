#!/bin/sh
# The optimised program: build/release/hone.
. "$(dirname "$0")/common.sh"
scripts/install_packages.sh build web
configure_and_build release hone
