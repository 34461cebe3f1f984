#!/bin/sh
# Compiles the tensor room for 64-bit Arm and runs its hashes under qemu: NEON, and SVE and SVE2 with
# vectors of several lengths must print what x86 prints (tests/replay/tensor_hash.golden).
# Arm's own libraries are unpacked into build/arm_root; the system's packages stay as they are.
. "$(dirname "$0")/common.sh"
scripts/install_packages.sh build arm

root=build/arm_root
if [ ! -f "$root/complete" ]; then
  rm -rf "$root"
  mkdir -p "$root/apt/lists/partial" "$root/apt/cache/archives/partial" "$root/debs"
  here=$(pwd)
  # An apt of its own, so that the system learns of no foreign architecture.
  arm_apt() {
    apt-get -q -o APT::Architecture=arm64 -o APT::Architectures=arm64 \
      -o Dir::State::lists="$here/$root/apt/lists" -o Dir::Cache="$here/$root/apt/cache" \
      -o Dir::State::status=/dev/null -o APT::Sandbox::User= "$@" </dev/null >&2
  }
  say "Getting the Arm libraries (Highway, Boost.JSON) into $root ..."
  arm_apt update
  (cd "$root/debs" && arm_apt download libhwy1 libhwy-dev libboost-json1.81.0 \
    libboost-json1.81-dev libboost1.81-dev libboost-container1.81.0)
  for package in "$root"/debs/*.deb; do dpkg-deb -x "$package" "$root"; done
  rm -rf "$root/apt" "$root/debs"
  touch "$root/complete"
fi

cmake --preset arm </dev/null
cmake --build --preset arm </dev/null
program=$(find build/arm -type f -name tensor_hash)
golden=tests/replay/tensor_hash.golden

failed=
compare() {  # qemu's CPU, target, threads
  lines=$(LD_LIBRARY_PATH='' qemu-aarch64 -L /usr/aarch64-linux-gnu -cpu "$1" \
    -E LD_LIBRARY_PATH="$(pwd)/$root/usr/lib/aarch64-linux-gnu" \
    "$program" --target "$2" --threads "$3" </dev/null) || lines="ended with $?"
  if [ "$lines" = "$(cat "$golden")" ]; then
    say "$2 ($1), $3 threads: the same bits as x86"
  else
    say "$2 ($1), $3 threads: NOT the same"
    printf '%s\n' "$lines" | diff - "$golden" >&2 || true
    failed="$failed $2($1)"
  fi
}
compare cortex-a72 NEON 1
compare cortex-a72 NEON 3
compare max,sve128=on SVE2_128 1
compare max,sve128=on,sve256=on SVE_256 1
compare max,sve128=on,sve256=on,sve384=off,sve512=on SVE 1
compare max,sve128=on,sve256=on,sve384=off,sve512=on SVE2 3

if [ -n "$failed" ]; then
  say "Arm differs:$failed"
  exit 1
fi
