"""Measures Hone's reward modelling, all weights, 4 PandaLM pairs a step: the work and settings of peers/trl_reward.py.

A step's time is the difference of a long and a short run over the steps between them, so that loading and the optimiser's first step are in neither, as they are not there. Prints one JSON line
a round; with --python and --hf TRL runs in turn with it and the last line is the ratio TRL / Hone (bar: 1.7, memory 0.65). Needs only Python's standard library.

    HONE_SHARED_DATA=... python3 bench/hone_reward.py --hone build/release/hone --model m.gguf --rounds 3 --python V/bin/python --hf HF
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

PEERS = pathlib.Path(__file__).resolve().parent / "peers"
sys.path.insert(0, str(PEERS))
from trl_dpo import pandalm_pairs  # noqa: E402


def run_hone(options, folder, steps):
    data = pathlib.Path(folder) / "pairs.jsonl"
    data.write_text("".join(json.dumps(pair) + "\n" for pair in pandalm_pairs(64)))
    command = [options.hone, "train", "reward", "--model", options.model, "--data", data, "--output", pathlib.Path(folder) / "run", "--overwrite", "--per-device-train-batch-size", "4",
               "--max-steps", steps, "--learning-rate", "1e-5", "--max-length", "512", "--seed", "1", "--train-sampling-strategy", "sequential", "--logging-steps", "1", "--save-steps", "0",
               "--threads", options.threads, *options.more]
    process = subprocess.Popen([str(word) for word in command], stderr=subprocess.PIPE, text=True)
    begin = end = None
    said = []
    for line in process.stderr:
        said.append(line)
        if "reward:" in line and begin is None:
            begin = time.monotonic()
        if line.startswith("reward:") and "took" in line:
            end = time.monotonic()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0 or begin is None or end is None:
        raise SystemExit("".join(said))
    lines = [json.loads(line) for line in (pathlib.Path(folder) / "run" / "metrics.jsonl").read_text().splitlines()]
    return end - begin, usage.ru_maxrss // 1024, [round(line["loss"], 6) for line in lines if "loss" in line]


def hone_round(options):
    with tempfile.TemporaryDirectory() as folder:
        short, _, _ = run_hone(options, folder, 1)
        long, peak, losses = run_hone(options, folder, 1 + options.steps)
    record = {"program": "hone", "work": "reward full, 4 pairs", "seconds": round((long - short) / options.steps, 3), "losses": losses, "peak_mb": peak}
    print(json.dumps(record), flush=True)
    return record


def trl_round(options):
    out = subprocess.run([options.python, str(PEERS / "trl_reward.py"), "--model", options.hf, "--steps", str(1 + options.steps), "--threads", str(options.threads)], check=True,
                         stdout=subprocess.PIPE, text=True).stdout
    print(out.splitlines()[-1], flush=True)
    return json.loads(out.splitlines()[-1])


def main(options):
    hone, trl = [], []
    for _ in range(options.rounds):
        hone.append(hone_round(options))
        if options.python and options.hf:
            trl.append(trl_round(options))
    if trl:
        def middle(rows, key):
            return statistics.median(row[key] for row in rows)
        print(json.dumps({"bar": "reward modelling, 4 pairs a step, full", "trl_over_hone": round(middle(trl, "seconds") / middle(hone, "seconds"), 3), "wanted": 1.7,
                          "memory_hone_over_trl": round(middle(hone, "peak_mb") / middle(trl, "peak_mb"), 3), "memory_wanted": 0.65}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hone", default="build/release/hone")
    parser.add_argument("--model", default=os.environ.get("HONE_MODEL"), help="a .gguf file; empty = HONE_MODEL")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--python", help="of the environment with TRL")
    parser.add_argument("--hf", help="the same model as a Hugging Face directory, float32")
    parser.add_argument("more", nargs="*", help="further options of hone train reward, after --")
    main(parser.parse_args())
