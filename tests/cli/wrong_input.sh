#!/bin/sh
# wrong_input.sh HONE SOURCE: gives the program everything that issue 3 calls wrong input. Each
# answer must be one sentence on stderr that says the words given here, nothing else there, and the
# exit code: 2 for what the caller can put right, 1 for work that failed. Earlier results stay whole.
set -u
hone=$1
golden=$2/tests/golden/torch
model=$golden/llama_tied
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 2
export LC_ALL=C
. "$2/tests/cli/judge.sh"

holds() {  # file, text: an earlier result
  [ "$(cat "$1")" = "$2" ] || complain "$1 was changed: $(cat "$1")"
}

absent() {
  for name in "$@"; do [ ! -e "$name" ] || complain "$name was left behind"; done
}

cut() { head -c "$3" "$1" >"$2"; }  # from, to, bytes

patched() {  # from, to, byte, text for printf
  cp "$1" "$2"
  # shellcheck disable=SC2059  # the text is the format: it holds bytes in octal
  printf "$4" | dd of="$2" bs=1 seek="$3" conv=notrunc status=none
}

place() { grep -abo -m 1 -- "$2" "$1" | head -n 1 | sed 's/:.*//'; }  # byte of a word in a file

folder_with() {  # name, weights: a model's folder with other weights
  mkdir "$1"
  cp "$model/config.json" "$1"
  cp "$2" "$1/model.safetensors"
}

config_with() {  # name, sed expression
  mkdir "$1"
  cp "$model/model.safetensors" "$1"
  sed "$2" "$model/config.json" >"$1/config.json"
  cmp -s "$model/config.json" "$1/config.json" && complain "$1: the config was not changed"
}

if ! "$hone" model export "$model" --output good.gguf --quiet >/dev/null; then
  echo "the good model cannot be exported"
  exit 1
fi
printf '{"input_ids":[1,5,9,2]}\n' >rows.jsonl
printf '{"prompt_ids":[1,2,3],"chosen_ids":[4,5],"rejected_ids":[7]}\n' >pairs.jsonl
printf '{"prompt_ids":[1,2]}\n' >prompts.jsonl
size=$(wc -c <good.gguf)
"$hone" score --model good.gguf --data rows.jsonl --quiet >good.scores || complain "good.gguf does not score"

score() { refused "$1" "$2" score --quiet --data rows.jsonl --model "$3"; }
train() { refused "$1" "$2" train sft --quiet --model "$model" --output never --max-steps 2 --data "$3"; }

# GGUF that is cut or lies.
for bytes in 0 3; do cut good.gguf cut.gguf $bytes && score 2 'not a GGUF file' cut.gguf; done
for bytes in 10 100 700 20000 $((size - 1)); do
  cut good.gguf cut.gguf "$bytes" && score 2 'Download or convert the file again' cut.gguf
done
query=$(($(place good.gguf blk.0.attn_q.weight) + 19))  # number of dimensions, 2 of them, type, offset
lie() { patched good.gguf lie.gguf "$1" "$2" && score 2 "$3" lie.gguf; }
lie 4 '\143' 'GGUF version 99 is not supported'
lie 8 '\377\377\377\377\377\377' 'tensors, more than the file can hold'
lie 16 '\377\377\377\377\377\377' 'metadata entries, more than the file can hold'
lie 24 '\377\377\377\377\377\377' 'a metadata key at byte'
lie "$query" '\115' 'has 77 dimensions'
lie $((query + 4)) '\377\377\377\377\377' 'has an impossible shape'
lie $((query + 20)) '\012' 'is stored as Q2_K, which Hone does not read'
lie $((query + 20)) '\377\377' 'is stored as type 65535'
lie $((query + 24)) '\000\377\377\377\377' 'lies outside the file'
lie $((query + 24)) '\003' 'not aligned to 32'
lie $((query + 24)) '\000\000\000\000' 'overlaps tensor "token_embd.weight"'
lie $((size - 8)) '\000\000\300\177' 'is NaN; the model is damaged, get it again'
lie "$(place good.gguf 'llama.context')" 'mamba' '"llama.context_length" is missing'
lie $(($(place good.gguf general.architecture) + 32)) 'mamba' '"mamba", an architecture that is not supported'

# Safetensors that are cut or lie.
weights=$model/model.safetensors
for bytes in 0 5 8 50 40000 $(($(wc -c <"$weights") - 1)); do
  cut "$weights" cut.weights "$bytes"
  folder_with "cut$bytes" cut.weights
  score 2 'Download or write the file again' "cut$bytes"
done
lying() { folder_with "$1" lie.weights && score 2 "$2" "$1"; }
patched "$weights" lie.weights 0 '\377\377\377\377\377\377' && lying header 'the header claims'
sed 's/"F32"/"I64"/' "$weights" >lie.weights && lying type 'is stored as "I64", which Hone does not read'
sed 's/"data_offsets":\[0,/"data_offsets":[9,/' "$weights" >lie.weights && lying offset 'Download or write the file again'
sed 's/\[24576,24768\]/[24480,24672]/' "$weights" >lie.weights && lying overlap 'overlaps tensor "model.embed_tokens.weight"'
sed 's/"shape":\[128,/"shape":[928,/' "$weights" >lie.weights && lying shape 'its shape and type need'
patched "$weights" lie.weights $(($(wc -c <"$weights") - 8)) '\000\000\300\177' && lying nan 'is NaN; the model is damaged, get it again'
refused 2 'is NaN' train sft --quiet --model nan --data rows.jsonl --output never --max-steps 1
{ cat "$weights"; printf more; } >lie.weights && lying tail '4 bytes after the last tensor belong to none'

# Folders, configurations.
config_with mixtral 's/"llama"/"mixtral"/' && score 2 '"mixtral", an architecture that is not supported' mixtral
config_with layers 's/"num_hidden_layers": [0-9]*/"num_hidden_layers": 4000000000/' && score 2 'it must be from' layers
config_with heads 's/"num_attention_heads": [0-9]*/"num_attention_heads": 7/' && score 2 'attention heads is 7' heads
config_with broken 's/{/{{/' && score 2 'is not JSON' broken
mkdir empty && score 2 'it has no config.json' empty
score 2 'there is no such file or folder' nowhere.gguf
mkdir shards && cp "$model/config.json" shards && printf '{"weight_map":{"a":"../b"}}' >shards/model.safetensors.index.json
score 2 'is no file name of a shard' shards

# Tokenizers that are not known. The program reads the vocabulary of a GGUF without any tensor.
vocabulary=$2/tests/fuzz/corpus/tokenizer_gguf/smollm
cp "$vocabulary" vocabulary.gguf
sed 's/smollm/smurfs/' "$vocabulary" >pre.gguf
refused 2 'pre.gguf: tokenizer.ggml.pre "smurfs" is not a pre-tokenizer that Hone knows' tokenize --model pre.gguf ab
sed 's/gpt2/bert/' "$vocabulary" >bert.gguf
refused 2 'bert.gguf: tokenizer.ggml.model "bert" is not a tokenizer that Hone knows' tokenize --model bert.gguf ab
printf '[1' >chat.json && refused 2 'chat.json: not valid JSON' tokenize --model vocabulary.gguf --chat chat.json
refused 2 'not valid UTF-8' tokenize --model vocabulary.gguf "$(printf 'a\351b')"

# Rows.
printf '{"input_ids":[1,2]}\n{"text":"caf\351"}\n' >latin.jsonl && train 2 'latin.jsonl:2: not valid UTF-8 at byte' latin.jsonl
printf '{"input_ids":[1,2]}\n{"input_ids":[1,2\n' >broken.jsonl && train 2 'broken.jsonl:2: not a JSON value' broken.jsonl
: >empty.jsonl && train 2 'empty.jsonl: the file has no rows' empty.jsonl
printf '\n \n' >blank.jsonl && train 2 'blank.jsonl: the file has no rows' blank.jsonl
train 2 'there is no such file' nowhere.jsonl
train 2 'is a folder' empty
printf '{"input_ids":[1,2,3],"labels":[-100,-100,-100]}\n' >masked.jsonl && train 2 'masked.jsonl:1: every label' masked.jsonl
printf '{"input_ids":[1]}\n' >one.jsonl && train 2 'one.jsonl:1: no token is left to train on' one.jsonl
printf '{"input_ids":[1,999]}\n' >other.jsonl && train 2 'token id 999 is not in the model' other.jsonl
printf 'text\n"abc\n' >open.csv && train 2 'open.csv:2: a quote is opened and never closed' open.csv
printf '{"text":"words"}\n' >text.jsonl && train 2 'text.jsonl:1: this model has no tokenizer' text.jsonl
{ printf '{"input_ids":[1'; yes ',1' | head -n 999 | tr -d '\n'; printf ']}\n'; } >long.jsonl
refused 2 'long.jsonl:1: 1000 tokens, but the model' score --quiet --model "$model" --data long.jsonl
refused 2 'long.jsonl:1: 1000 tokens, but the model' train sft --quiet --model "$model" --data long.jsonl --output never --max-length 0
refused 2 'pairs.jsonl:1: needs' train sft --quiet --model "$model" --data pairs.jsonl --output never
refused 2 'empty.jsonl: the file has no rows' eval preferences --quiet --model "$model" --data empty.jsonl
refused 2 'latin.jsonl:2: not valid' generate --quiet --model "$model" --prompts latin.jsonl
refused 2 'empty.jsonl has no rows' generate --quiet --model "$model" --prompts empty.jsonl
refused 2 'there is no such file' score --quiet --model "$model" --data nowhere.jsonl
absent never

# Numbers that leave the range of numbers.
refused 1 'lower --learning-rate' train sft --quiet --model "$model" --data rows.jsonl --output boom \
  --learning-rate 1e30 --max-steps 5

# Adapters.
refused 2 'it belongs to another model' score --quiet --model "$golden/qwen3" --adapter "$golden/adapter_rslora" --data rows.jsonl
mkdir half && cp "$golden/adapter_dpo_start/adapter_config.json" half
cut "$golden/adapter_dpo_start/adapter_model.safetensors" half/adapter_model.safetensors 9000
refused 2 'Download or write the file again' score --quiet --model "$model" --adapter half --data rows.jsonl
refused 2 'is no adapter' score --quiet --model "$model" --adapter empty --data rows.jsonl
refused 2 'it has no config.json' score --quiet --model "$golden/adapter_rslora" --data rows.jsonl

# Outputs that exist, or cannot.
printf mine >mine
for command in "score --data rows.jsonl" "eval preferences --data pairs.jsonl" "generate --prompts prompts.jsonl"; do
  # shellcheck disable=SC2086  # words of a command
  {
    refused 2 'mine exists; pass --overwrite to replace it' $command --quiet --model "$model" --output mine
    refused 2 'make it first' $command --quiet --model "$model" --output no/folder
    refused 2 'is a folder' $command --quiet --model "$model" --output empty --overwrite
    refused 2 'is a device or a pipe' $command --quiet --model "$model" --output /dev/null --overwrite
  }
done
refused 2 'good.gguf exists; pass --overwrite' model export "$model" --output good.gguf
refused 2 'mine is a file: name a folder for the run' train sft --quiet --model "$model" --data rows.jsonl --output mine --max-steps 1
mkdir busy && printf mine >busy/letter
refused 2 'busy exists and is not empty' train sft --quiet --model "$model" --data rows.jsonl --output busy --max-steps 1
"$hone" train sft --quiet --model "$model" --data rows.jsonl --output run --max-steps 1 || complain "a good run failed"
refused 2 '--resume continues it' train sft --quiet --model "$model" --data rows.jsonl --output run --max-steps 1
holds mine mine
holds busy/letter mine

# A full disk: no file may grow beyond so many blocks of 512 bytes, and the signal is ignored.
full() {  # blocks, words, command line
  code=1 words=$2 blocks=$1
  shift 2
  count=$((count + 1))
  # /dev/null and pipes are no files and stay open to words.
  said=$(trap '' XFSZ; ulimit -f "$blocks"; "$hone" "$@" 2>&1 >/dev/null </dev/null; echo "exit $?")
  printf '%s\n' "$said" | sed '$d' >err
  judge "${said##*exit }" "$*"
}
"$hone" model export "$model" --output kept.gguf --quiet >/dev/null
full 8 'make room there' model export "$golden/llama3" --output kept.gguf --overwrite --quiet
cmp -s kept.gguf good.gguf || complain "a full disk changed kept.gguf"
full 8 'make room there' model export "$model" --output new.gguf --quiet
full 8 'make room there' model export "$model" --output new_folder --quiet
absent new.gguf new_folder new_folder.part
yes '{"input_ids":[1,5,9,2]}' | head -n 200 >many.jsonl
printf mine >kept.jsonl
full 8 'make room there' score --quiet --model "$model" --data many.jsonl --output kept.jsonl --overwrite
holds kept.jsonl mine
full 64 'make room there' train sft --quiet --model "$model" --data rows.jsonl --output full_run --max-steps 2
"$hone" train sft --quiet --model "$model" --data rows.jsonl --output full_run --max-steps 2 --resume ||
  complain "a run on a full disk does not go on once there is room"
absent ./*.part ./*.tmp ./*.partial
if [ -c /dev/full ]; then
  code=1 words='cannot write to the standard output' count=$((count + 1))
  "$hone" score --quiet --model "$model" --data rows.jsonl >/dev/full 2>err </dev/null
  judge "$?" 'score >/dev/full'
fi

# More than there is.
refused 2 '--memory-limit' train sft --quiet --model "$model" --data rows.jsonl --output never --memory-limit 1M
refused 2 '--memory-limit' train sft --quiet --model "$model" --data rows.jsonl --output never --max-tokens-per-pass 100000000000
refused 2 'threads are more than the bound' score --quiet --model "$model" --data rows.jsonl --threads 1000000
refused 2 'choose 1 to' generate --quiet --model "$model" --prompts prompts.jsonl --n 1000000000000
absent never

# Words, configurations, reports and runs.
refused 2 'did you mean train?' trian
refused 2 'did you mean --model?' score --modle x
printf 'learnin_rate: 1\n' >c.yaml && refused 2 'c.yaml: learnin-rate is not an option' train sft --config c.yaml
printf '[a, b]: 1\n' >c.yaml && refused 2 'c.yaml: a name of an option is expected' train sft --config c.yaml
printf 'a: [1\n' >c.yaml && refused 2 'not YAML' train sft --config c.yaml
printf '{' >r.json && refused 2 'r.json: not a report' compare r.json r.json
printf '[]' >r.json && refused 2 'r.json: expected an object' compare r.json r.json
mkdir strange && printf '{}' >strange/manifest.json && refused 2 'strange/manifest.json: run manifest' runs show strange
refused 2 'is not a run' replay empty

[ "$count" -gt 90 ] || complain "only $count things were tried"
verdict
