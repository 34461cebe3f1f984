"""PEFT and transformers load the model that `hone model export` wrote and the adapter that `hone train sft` wrote, and agree with the
server on the log-probability of every token, with and without the adapter, to the noise of f32 over the layers."""
import json
import os
import subprocess
import urllib.request

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

URL, WORK, HONE, MODEL = (os.environ[name] for name in ("HONE_URL", "HONE_WORK", "HONE", "HONE_MODEL"))
NOISE = 3e-4
TEXTS = [
    "The quick brown fox jumps over the lazy dog. In 1969, humans first",
    "def fibonacci(n):\n    if n < 2:\n        return n\n    return",
    "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n",
    "Na\u00efve caf\u00e9 \u2014 \u00fcber 3.14159, 12345 items; don't panic!\n\n  indented",
]


def ask(path, body):
    request = urllib.request.Request(URL + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def hone(*words):
    subprocess.run([HONE, *words, "--quiet"], check=True)


def served(model, text):
    """(ids, log-probabilities from the second on) of the server's echo."""
    choice = ask("/v1/completions", {"model": model, "prompt": text, "max_tokens": 0, "echo": True, "logprobs": 0, "return_token_ids": True})["choices"][0]
    return choice["prompt_token_ids"], choice["logprobs"]["token_logprobs"][1:]


def of_torch(model, ids):
    with torch.no_grad():
        log_probs = torch.log_softmax(model(torch.tensor([ids])).logits[0].double(), -1)
    return log_probs[:-1].gather(1, torch.tensor(ids[1:])[:, None])[:, 0].tolist()


def worst(pairs):
    return max(abs(a - b) for ours, theirs in pairs for a, b in zip(ours, theirs, strict=True))


def main():
    data = os.path.join(WORK, "rows.jsonl")
    with open(data, "w", encoding="utf-8") as file:
        file.writelines(json.dumps({"text": text + " " + text.upper()}) + "\n" for text in TEXTS * 4)
    run = os.path.join(WORK, "adapters", "run")
    hone("train", "sft", "--model", MODEL, "--data", data, "--output", run, "--lora-r", "8", "--learning-rate", "2e-3", "--max-steps", "4",
         "--per-device-train-batch-size", "4", "--max-length", "64")
    os.rename(os.path.join(run, "final"), os.path.join(WORK, "adapters", "shout"))
    ask("/v1/load_lora_adapter", {"lora_name": "shout"})
    folder = os.path.join(WORK, "exported")
    hone("model", "export", MODEL, "--output", folder, "--type", "F32")

    base_name = json.load(urllib.request.urlopen(URL + "/v1/models"))["data"][0]["id"]
    plain = [served(base_name, text) for text in TEXTS]
    moved = [served("shout", text) for text in TEXTS]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for text, (ids, _) in zip(TEXTS, plain):
        assert tokenizer(text)["input_ids"] == ids, text
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    without = worst((log_probs, of_torch(model, ids)) for ids, log_probs in plain)
    model = PeftModel.from_pretrained(model, os.path.join(WORK, "adapters", "shout"))
    with_adapter = worst((log_probs, of_torch(model, ids)) for ids, log_probs in moved)
    change = worst((a[1], b[1]) for a, b in zip(plain, moved))
    print(f"largest difference to transformers {without:.1e}, with the adapter {with_adapter:.1e}; the adapter moves log-probabilities by up to {change:.2f}")
    assert without < NOISE and with_adapter < NOISE, "transformers or PEFT compute something else"
    assert change > 0.05, "the adapter changes nothing, so nothing was compared"


main()
