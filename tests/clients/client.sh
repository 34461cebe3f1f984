#!/bin/sh
# client.sh SOURCE HONE NAME: runs NAME_client.py in an environment of its own (build/clients/NAME)
# against a fresh hone serve with the demo model. Python is a client here: Hone needs none.
set -eu
source=$1
hone=$2
name=$3
skip() { echo "Skipped: $*"; exit 77; }
[ -n "${HONE_MODEL:-}" ] || skip "HONE_MODEL names no model."
case $name in
  openai_sdk) packages='openai==3.57.0' ;;
  lm_eval)
    [ -n "${HONE_TEST_LONG:-}" ] || skip "lm-evaluation-harness runs with HONE_TEST_LONG=1 (make test-long)."
    [ -n "${HONE_SHARED_DATA:-}" ] || skip "HONE_SHARED_DATA has no data sets."
    packages='lm-eval[api]==0.4.13' ;;
  peft)
    [ -n "${HONE_TEST_LONG:-}" ] || skip "torch and PEFT run with HONE_TEST_LONG=1 (make test-long)."
    packages='torch transformers peft' ;;
  trl_export)
    [ -n "${HONE_TEST_LONG:-}" ] || skip "TRL runs with HONE_TEST_LONG=1 (make test-long)."
    packages='trl==1.16.0 transformers==5.24.0 datasets==5.2.0 accelerate==1.15.0 peft==0.21.2 torch==2.15.0' ;;
  llama_cpp)
    [ -n "${HONE_TEST_LONG:-}" ] || skip "llama-cpp-python, which is compiled, runs with HONE_TEST_LONG=1 (make test-long)."
    packages='llama-cpp-python==0.3.36' ;;
  *) echo "unknown client $name"; exit 2 ;;
esac
tools=$source/build/clients/$name
python=${HONE_CLIENT_PYTHON:-$tools/bin/python}  # an environment that has the packages already
if [ -z "${HONE_CLIENT_PYTHON:-}" ] && ! [ -f "$tools/ready" ]; then
  command -v python3 >/dev/null || skip "there is no python3."
  rm -rf "$tools"
  python3 -m venv "$tools" || skip "python3 makes no environments (Debian: python3-venv)."
  # shellcheck disable=SC2086  # a list of packages
  "$tools/bin/pip" install --quiet $packages || skip "PyPI cannot be reached for $packages."
  touch "$tools/ready"
fi
. "$source/tests/start_server.sh"
mkdir "$folder/adapters"
start_server "$hone" serve --model "$HONE_MODEL" --no-auth --adapter-folder "$folder/adapters"
HONE=$hone
HONE_WORK=$folder
HF_HOME=$folder/hf
HF_DATASETS_OFFLINE=1
export HONE HONE_WORK HF_HOME HF_DATASETS_OFFLINE
"$python" "$source/tests/clients/${name}_client.py"
