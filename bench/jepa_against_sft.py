"""LLM-JEPA against plain SFT with the same rows, steps and seeds, for docs/results/jepa-*.md.

Usage: python bench/jepa_against_sft.py HONE MODEL FOLDER [--seeds 5] [--steps 30] [-- options of hone train jepa]
Each seed trains twice (hone train sft, hone train jepa) on examples/regex; held out: nats a token of the completions, and exact matches of greedy answers.
Prints one line a run and the paired comparison as JSON.
"""
import argparse
import json
import math
import pathlib
import subprocess
import sys
import time

T_97_5 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def paired(differences):
    """Mean of the seeds' differences, its 95 % interval by Student's t."""
    n = len(differences)
    mean = sum(differences) / n
    if n < 2:
        return {"mean": mean}
    half = T_97_5[n - 1] * math.sqrt(sum((d - mean) ** 2 for d in differences) / (n - 1) / n)
    return {"mean": mean, "interval": [mean - half, mean + half]}


def one(args, method, seed, data):
    run = args.folder / f"{method}-{seed}"
    command = [args.hone, "train", method, "--model", args.model, "--data", str(data / "train.jsonl"), "--eval-data", str(data / "heldout.jsonl"), "--output", str(run), "--overwrite",
               "--lora-r", "16", "--learning-rate", "1e-3", "--warmup-steps", "3", "--per-device-train-batch-size", "16", "--max-steps", str(args.steps), "--save-steps", "0",
               "--logging-steps", "1", "--seed", str(seed), "--quiet"]
    began = time.monotonic()
    subprocess.run(command + (args.more if method == "jepa" else []), check=True)
    seconds = time.monotonic() - began
    held = [m for m in lines(run / "metrics.jsonl") if "eval_loss" in m][-1]
    answers = args.folder / f"{method}-{seed}.jsonl"
    subprocess.run([args.hone, "generate", "--model", args.model, "--adapter", str(run / "final"), "--prompts", str(data / "prompts.jsonl"), "--output", str(answers), "--overwrite", "--temperature", "0",
                    "--max-tokens", "40", "--quiet"], check=True)
    said = [row["text"] == wanted["completion"] for row, wanted in zip(lines(answers), lines(data / "heldout.jsonl"))]
    record = {"method": method, "seed": seed, "nll": held.get("eval_lm_loss", held["eval_loss"]), "exact": sum(said), "of": len(said), "seconds": round(seconds, 1)}
    print(json.dumps(record), flush=True)
    return record, said


def main():
    ours = sys.argv[1:]
    more = ours[ours.index("--") + 1:] if "--" in ours else ["--jepa-lambda", "1", "--jepa-predictors", "1"]
    parser = argparse.ArgumentParser()
    parser.add_argument("hone")
    parser.add_argument("model")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=30)
    args = parser.parse_args(ours[:ours.index("--")] if "--" in ours else ours)
    args.more = more
    data = args.folder / "data"
    subprocess.run([sys.executable, str(pathlib.Path(__file__).parent.parent / "examples/regex/make_rows.py"), str(data)], check=True)
    (data / "prompts.jsonl").write_text("".join(json.dumps({"prompt": row["prompt"]}) + "\n" for row in lines(data / "heldout.jsonl")))
    runs = {(method, seed): one(args, method, seed, data) for seed in range(1, args.seeds + 1) for method in ["sft", "jepa"]}
    of = lambda method, key: [runs[(method, seed)][0][key] for seed in range(1, args.seeds + 1)]
    exact = [100 * (j - s) / runs[("sft", 1)][0]["of"] for j, s in zip(of("jepa", "exact"), of("sft", "exact"))]
    better = sum(j and not s for seed in range(1, args.seeds + 1) for j, s in zip(runs[("jepa", seed)][1], runs[("sft", seed)][1]))
    worse = sum(s and not j for seed in range(1, args.seeds + 1) for j, s in zip(runs[("jepa", seed)][1], runs[("sft", seed)][1]))
    print(json.dumps({"nll, jepa less sft": paired([j - s for j, s in zip(of("jepa", "nll"), of("sft", "nll"))]), "exact in points, jepa less sft": paired(exact),
                      "answers only jepa has right": better, "only sft": worse, "options": more}, indent=1))


if __name__ == "__main__":
    main()
