#!/bin/sh
# The optimised program: build/release/hone.
. "$(dirname "$0")/common.sh"
scripts/install_packages.sh build web
if ! scripts/install_packages.sh mpi; then say "There is no MPI: hone train runs in one process."; fi
configure_and_build release hone
