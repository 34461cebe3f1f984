"""What the interoperation scripts share: arguments, running Hone, log-probabilities of transformers."""
import argparse
import importlib.metadata
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tokenizer"))

TEXTS = [
    "The quick brown fox jumps over the lazy dog. In 1969, humans first",
    "def fibonacci(n):\n    if n < 2:\n        return n\n    return",
    "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n",
    "Na\u00efve caf\u00e9 \u2014 \u00fcber 3.14159 \U0001f600 \u4f60\u597d, 12345 items; don't panic!\n\n  indented",
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness, it was the epoch of belief",
]
MESSAGES = [{"role": "system", "content": "Answer in one word."}, {"role": "user", "content": "What is the capital of France? <|im_end|>"}, {"role": "assistant", "content": "Paris."}, {"role": "user", "content": " And of Italy?\n"}]


class Checks:
    def __init__(self):
        self.different = 0

    def check(self, good, text):
        self.different += not good
        print(f"{'ok       ' if good else 'DIFFERENT'} {text}", flush=True)

    def end(self):
        sys.exit(1 if self.different else 0)


def arguments(llama=False, only=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("--hone", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--work", required=True, type=pathlib.Path)
    if llama:
        parser.add_argument("--llama", required=True, type=pathlib.Path)
    if only:
        parser.add_argument("--only", nargs="+", choices=only, default=only)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    print("versions:", ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("torch", "transformers", "peft", "gguf", "tokenizers")))
    return args


def hone(args, *words, text=True):
    done = subprocess.run([args.hone, *map(str, words)], capture_output=True, text=text)
    if done.returncode != 0:
        raise RuntimeError(f"hone {' '.join(map(str, words))}: {done.stderr}")
    return done.stdout


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


def export(args, model, name, kind=None):
    out = args.work / name
    words = ["model", "export", model, "--output", out, "--overwrite", "--quiet"] + (["--type", kind] if kind else [])
    hone(args, *words)
    return out


def hone_scores(args, model, adapter=None):
    """[(token ids, log-probabilities from the second token on)] of TEXTS."""
    rows = write_rows(args.work / "texts.jsonl", [{"text": t} for t in TEXTS])
    out = hone(args, "score", "--model", model, "--data", rows, "--quiet", *(["--adapter", adapter] if adapter else []))
    lines = [json.loads(line) for line in out.splitlines()]
    return [(line["token_ids"], line["logprobs"][1:]) for line in lines]


def torch_scores(model, ids):
    import torch
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0].double()
    log_probs = torch.log_softmax(logits, -1)
    return log_probs[:-1].gather(1, torch.tensor(ids[1:])[:, None])[:, 0].tolist()


def worst(scores, model):
    """The largest difference of a log-probability between Hone's scores and a transformers model."""
    return max(abs(a - b) for ids, ours in scores for a, b in zip(ours, torch_scores(model, ids), strict=True))


def between(scores, others):
    return max(abs(a - b) for (_, x), (_, y) in zip(scores, others, strict=True) for a, b in zip(x, y, strict=True))
