"""Folder to GGUF, then the hard strings through llama.cpp: README.md."""
import json
import random
import subprocess
import unicodedata

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer

from common import HERE, Checks, arguments, export, hone, write_rows
from make_strings import strings

SMALL = ["small_smollm", "small_gpt2", "small_llama3", "small_qwen2", "small_llama2", "small_metaspace"]


def small_folder(args, name):
    """A tiny random Llama with the tokenizer of a golden."""
    tokenizer = json.loads((HERE.parent / "tokenizer" / f"{name}.json").read_text())["tokenizer"]
    for token in tokenizer["added_tokens"]:  # GGUF has no tokens that take white space with them
        token.update(lstrip=False, rstrip=False, single_word=False, normalized=False)
    folder = args.work / name
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False))
    ids = list(tokenizer["model"]["vocab"].values()) + [t["id"] for t in tokenizer["added_tokens"]]
    vocab, h, f = max(ids) + 10, 32, 64
    config = dict(architectures=["LlamaForCausalLM"], model_type="llama", hidden_size=h, intermediate_size=f, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2, vocab_size=vocab, max_position_embeddings=512, rms_norm_eps=1e-5, rope_theta=10000.0, tie_word_embeddings=True, hidden_act="silu")
    (folder / "config.json").write_text(json.dumps(config))
    named = {token["id"]: token["content"] for token in tokenizer["added_tokens"]}
    template = tokenizer["post_processor"] or {}
    bos = next((named.get(ids["ids"][0]) for ids in template.get("special_tokens", {}).values()), None)
    (folder / "tokenizer_config.json").write_text(json.dumps(dict(bos_token=bos, eos_token=named.get(2))))
    generator = np.random.default_rng(1)
    shapes = {"model.embed_tokens.weight": (vocab, h), "model.norm.weight": (h,)}
    for part, shape in {"input_layernorm": (h,), "post_attention_layernorm": (h,), "self_attn.q_proj": (h, h), "self_attn.k_proj": (h, h), "self_attn.v_proj": (h, h), "self_attn.o_proj": (h, h), "mlp.gate_proj": (f, h), "mlp.up_proj": (f, h), "mlp.down_proj": (h, f)}.items():
        shapes[f"model.layers.0.{part}.weight"] = shape
    save_file({k: generator.standard_normal(s).astype(np.float32) for k, s in shapes.items()}, folder / "model.safetensors")
    return folder


def llama_ids(args, model, text):
    """--no-bos leaves BOS out; special tokens in the text are read."""
    path = args.work / "text.bin"
    path.write_bytes(text.encode())
    done = subprocess.run([args.llama / "llama-tokenize", "-m", model, "-f", path, "--ids", "--no-bos", "--no-escape", "--log-disable"], capture_output=True, text=True)
    line = next((l for l in done.stdout.splitlines() if l.startswith("[")), None)
    return None if done.returncode != 0 or line is None else json.loads(line)


def main():
    args = arguments(llama=True, only=["SmolLM2", *SMALL])
    checks = Checks()
    cases = [("SmolLM2", export(args, args.model, "folder_f32", "F32"))] if "SmolLM2" in args.only else []
    cases += [(name, small_folder(args, name)) for name in SMALL if name in args.only]
    for name, folder in cases:
        gguf = args.work / f"{name}.gguf"
        note = subprocess.run([args.hone, "model", "export", folder, "--output", gguf, "--type", "F32", "--overwrite"], capture_output=True, text=True).stderr
        checks.check("no tokenizer" not in note, f"{name}: the GGUF file has a tokenizer{': ' + note.strip() if note else ''}")
        reference = Tokenizer.from_file(str(folder / "tokenizer.json"))
        # One process a string: 200 of the 460.
        texts = random.Random(name).sample(strings(), 200)
        rows = write_rows(args.work / "strings.jsonl", [{"text": t} for t in texts])
        ours = [json.loads(line)["token_ids"] for line in hone(args, "tokenize", "--model", gguf, "--data", rows).splitlines()]
        with_special = [reference.encode(t).ids for t in texts]
        same = sum(a == b for a, b in zip(ours, with_special, strict=True))
        differs = [t for t, a, b in zip(texts, ours, with_special, strict=True) if a != b]
        known = name == "small_metaspace"
        checks.check(same == len(texts) or known, f"{name}: hone reads its own file and gives {same} of {len(texts)} strings the folder's ids" + (" (Metaspace puts no second space; GGUF cannot say that)" if known else "") + (f": {differs[:6]!r}" if differs else ""))
        equal, other, left_out = 0, [], 0
        for t in texts:
            want = reference.encode(t, add_special_tokens=False).ids
            got = llama_ids(args, gguf, t)
            # llama.cpp knows no NFC: a string that it would change cannot be compared.
            if name == "small_qwen2" and unicodedata.normalize("NFC", t) != t:
                left_out += 1
            elif got == want:
                equal += 1
            else:
                other.append((t, want, got))
        checks.check(not other or known, f"{name}: llama.cpp gives {equal} of {equal + len(other)} strings the folder's ids" + (f", {left_out} left out (NFC)" if left_out else ""))
        for t, want, got in other[:12]:
            print(f"    {t!r}: {want} by the folder, {got} by llama.cpp")
    checks.end()


main()
