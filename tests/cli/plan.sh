#!/bin/sh
# hone plan on the demo model: the plan of a training of eight rows, and what is wrong input.
set -u
hone=$1 source=$2
[ -n "${HONE_MODEL:-}" ] || { echo "Skipped: HONE_MODEL names no model."; exit 77; }
model=$(realpath "$HONE_MODEL")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
. "$source/tests/cli/judge.sh"
for n in 1 2 3 4 5 6 7 8; do printf '{"prompt": "Say %s.", "completion": " %s."}\n' $n $n; done >rows.jsonl
{ echo prompt,completion; for n in 1 2 3 4; do printf '"Say ""%s"", twice",%s\n' $n $n; done; } >rows.csv
printf '{"count": 2, "cores": 4, "gflops_per_core": 50, "memory": "1M", "network_gbit": 10, "price_per_hour": 2}' >two.json
printf '{"cores": 4, "gflops_per_cor": 50}' >odd.json
train="plan train sft --model $model --lora-r 2 --per-device-train-batch-size 2 --num-train-epochs 2 --probe-steps 1 --quiet"

# shellcheck disable=SC2086  # words
"$hone" $train --data rows.jsonl --json >plan.json || complain "no plan"
for word in '"steps": 8' '"rows": 8' '"fits": true' '"step_seconds"' '"gradient_bytes"' '"hone.plan/1"'; do
  grep -qF "$word" plan.json || complain "the plan lacks $word"
done
count=1
# shellcheck disable=SC2086
"$hone" $train --data rows.csv --machines two.json >plan.txt
[ $? -eq 3 ] || complain "a machine of 1 MB holds a model"
grep -q 'MORE than' plan.txt || complain "does not say that memory is short"
grep -q 'machine hours' plan.txt || complain "says no cost"
"$hone" plan serve --model "$model" | grep -q 'serving takes at most' || complain "no plan of a server"
[ -z "$(ls | grep -v -e '^rows' -e json$ -e '^plan' -e '^out$' -e '^err$')" ] || complain "something was left behind"

refused 2 '--data FILE is missing' plan train sft --model "$model"
refused 2 'did you mean --learning-rate?' plan train sft --model "$model" --data rows.jsonl --learnin-rate 1
refused 2 '"gflops_per_cor" says nothing of machines; did you mean "gflops_per_core"?' plan train sft --model "$model" --data rows.jsonl --machines odd.json
refused 2 '--probe-steps must be from 1' plan train sft --model "$model" --data rows.jsonl --probe-steps 0
refused 2 'none.jsonl' plan train sft --model "$model" --data none.jsonl
refused 2 'did you mean' plan trian
verdict
