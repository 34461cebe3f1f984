#!/bin/sh
# Decode beside a process that only computes: HONE MODEL [LLAMA_BENCH]. Prints quiet and disturbed
# tokens/s in turn, three rounds; then the peer's.
set -eu
hone=$1 model=$2 peer=${3:-}
busy() { sh -c 'while :; do :; done' & neighbour=$!; }
idle() { kill "$neighbour"; wait "$neighbour" 2>/dev/null || true; }
ours() { "$hone" bench decode --model "$model" --quiet --repeats 5 --only '1 sequence at 0' | tail -1; }
theirs() { "$peer" -m "$model" -t 2 -p 0 -n 64 -r 3 -o csv 2>/dev/null | tail -1 | rev | cut -d, -f2 | rev; }
for round in 1 2 3; do
  echo "Hone, quiet:     $(ours)"
  busy; echo "Hone, neighbour: $(ours)"; idle
  [ -n "$peer" ] || continue
  echo "peer, quiet:     $(theirs)"
  busy; echo "peer, neighbour: $(theirs)"; idle
done
