"""GGUF files written by Hone in gguf-py and llama.cpp: README.md."""
import json
import subprocess

import numpy as np
from gguf import GGUFReader, dequantize

from common import TEXTS, Checks, arguments, export, hone, hone_scores, between, write_rows

# The largest error of a value, in units of the largest value of its block of 32.
BOUND = {"F32": 0, "F16": 2**-11, "BF16": 2**-8, "Q8_0": 0.51 / 127 + 2**-10, "Q4_0": 1 / 8 + 2**-9, "Q4_1": 2 * 0.51 / 15 + 2**-8}


def values_of(path):
    return {t.name: np.array(dequantize(t.data, t.tensor_type), dtype=np.float32).reshape(-1) for t in GGUFReader(path).tensors}


def worst_error(source, written):
    out = 0.0
    for name, a in source.items():
        b = written[name]
        size = np.abs(a.reshape(-1, 32)).max(1) if a.size % 32 == 0 else np.abs(a).max()
        error = np.abs(a - b).reshape(-1, 32).max(1) if a.size % 32 == 0 else np.abs(a - b).max()
        out = max(out, float((error / np.maximum(size, 1e-30)).max()))
    return out


def greedy_llama(args, path, text):
    done = subprocess.run([args.llama / "llama-completion", "-m", path, "-p", text, "-n", "24", "--temp", "0", "--top-k", "1", "-no-cnv", "--no-display-prompt", "-t", "1", "-ctk", "f32", "-ctv", "f32", "-fa", "off", "--no-warmup", "--simple-io"],
                          capture_output=True, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout.decode(errors="replace")


def greedy_hone(args, path, texts):
    prompts = write_rows(args.work / "prompts.jsonl", [{"prompt": t} for t in texts])
    out = hone(args, "generate", "--model", path, "--prompts", prompts, "--temperature", 0, "--max-tokens", 24, "--quiet")
    return [json.loads(line)["text"] for line in out.splitlines()]


def main():
    args = arguments(llama=True)
    checks = Checks()
    folder = export(args, args.model, "folder_f32", "F32")
    direct, scores = values_of(args.model), hone_scores(args, args.model)
    for kind in BOUND:
        path = args.work / f"from_folder.{kind}.gguf"
        hone(args, "model", "quantize", folder, "--type", kind, "--output", path, "--overwrite", "--quiet")
        written = values_of(path)
        error = worst_error(direct, written)
        checks.check(error <= BOUND[kind], f"{kind} from a folder: gguf-py reads {len(written)} tensors; largest error {error:.2e} of a block's largest value (bound {BOUND[kind]:.2e})")
        other = args.work / f"from_gguf.{kind}.gguf"
        hone(args, "model", "quantize", args.model, "--type", kind, "--output", other, "--overwrite", "--quiet")
        again = values_of(other)
        checks.check(all(np.array_equal(written[n], again[n]) for n in again), f"{kind} from GGUF: the same values")
        other.unlink()
        if kind == "F32":
            checks.check(between(hone_scores(args, path), scores) == 0, "F32: hone gives it the demo file's log-probabilities, bit for bit")
        texts = TEXTS if kind == "F32" else TEXTS[:2]
        ours = greedy_hone(args, path, texts)
        theirs = [greedy_llama(args, path, t) for t in texts]
        same = sum(b.startswith(a) and a != "" for a, (_, b) in zip(ours, theirs, strict=True))
        runs = all(code == 0 and text for code, text in theirs)
        # llama.cpp rounds activations to 8 bits for the quantised types: its text may turn away.
        exact = kind == "F32"
        checks.check(runs and (same == len(texts) or not exact), f"{kind}: llama.cpp runs it, {same} of {len(texts)} greedy texts as hone's" + ("" if exact else " (not demanded)"))
        if not runs or (exact and same != len(texts)):
            print(list(zip(ours, theirs, strict=True)))
    checks.end()


main()
