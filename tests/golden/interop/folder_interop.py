"""Folders written by Hone in transformers: README.md."""
import json

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from common import MESSAGES, TEXTS, Checks, arguments, export, hone, hone_scores, worst, write_rows
from make_strings import strings

NOISE = 2e-4


def greedy_hone(args, model):
    prompts = write_rows(args.work / "prompts.jsonl", [{"prompt": t} for t in TEXTS])
    out = hone(args, "generate", "--model", model, "--prompts", prompts, "--temperature", 0, "--max-tokens", 24, "--quiet")
    return [json.loads(line)["token_ids"] for line in out.splitlines()]


def greedy_torch(model, tokenizer):
    out = []
    for text in TEXTS:
        ids = tokenizer(text, return_tensors="pt").input_ids
        with torch.no_grad():
            out.append(model.generate(ids, do_sample=False, max_new_tokens=24, pad_token_id=0)[0, ids.shape[1]:].tolist())
    return out


def check_words(args, checks, folder, tokenizer, name):
    rows = write_rows(args.work / "strings.jsonl", [{"text": t} for t in strings()])
    ours = [json.loads(line)["token_ids"] for line in hone(args, "tokenize", "--model", folder, "--data", rows).splitlines()]
    same = sum(a == tokenizer(t).input_ids for a, t in zip(ours, strings(), strict=True))
    checks.check(same == len(ours), f"{name}: the folder's tokenizer gives {same} of {len(ours)} hard strings the same ids in transformers and in hone")
    chat = args.work / "messages.json"
    chat.write_text(json.dumps(MESSAGES))
    text = json.loads(hone(args, "tokenize", "--model", folder, "--chat", chat))["text"]
    checks.check(text == tokenizer.apply_chat_template(MESSAGES, tokenize=False, add_generation_prompt=True), f"{name}: the chat template gives the same text")


def main():
    args = arguments()
    checks = Checks()
    for kind in ("F32", "F16", "BF16"):
        folder = export(args, args.model, f"folder_{kind.lower()}", kind)
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        error = worst(hone_scores(args, folder), model)
        checks.check(error < NOISE, f"{kind} folder: worst difference of a log-probability {error:.1e}")
        a, b = greedy_hone(args, folder), greedy_torch(model, tokenizer)
        same = sum(x == y[:len(x)] for x, y in zip(a, b, strict=True))
        checks.check(same == len(a), f"{kind} folder: {same} of {len(a)} greedy answers of 24 tokens are the same")
        if kind == "F32":
            check_words(args, checks, folder, tokenizer, "F32 folder")
    adapter = args.work / "run_sft" / "final"
    if adapter.exists():
        merged = args.work / "merged"
        hone(args, "model", "merge", args.model, "--adapter", adapter, "--output", merged, "--type", "F32", "--overwrite", "--quiet")
        model = AutoModelForCausalLM.from_pretrained(merged, dtype=torch.float32)
        error = worst(hone_scores(args, merged), model)
        beside = worst(hone_scores(args, args.model, adapter), model)
        checks.check(max(error, beside) < NOISE, f"merged folder: worst difference {error:.1e}, against the adapter beside the base {beside:.1e}")
    checks.end()


main()
