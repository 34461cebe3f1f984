#!/usr/bin/env python3
"""Weak scaling of hone train under mpirun: 2 ranks against 1, one pinned core each, the same rows a rank.

    python3 bench/mpi_scaling.py --hone build/release/hone --model m.gguf

The ratio is (seconds of a step on 1 rank) / (seconds of a step on 2 ranks, which take twice the rows): 1 is
perfect. Runs on 1 and on 2 ranks alternate; the ratio is of the medians. A step ends with its line in
metrics.jsonl; the first begins when the run's logs are opened, so loading is in no figure. Prints one JSON
document.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROW_TOKENS = 512


def write_rows(path, count, vocab):
    numbers = random.Random(42)
    with open(path, "w") as file:
        for _ in range(count):
            ids = [numbers.randrange(10, vocab) for _ in range(ROW_TOKENS)]
            file.write(json.dumps({"input_ids": ids}) + "\n")


def lines_in(path):
    try:
        with open(path, "rb") as file:
            return file.read().count(b"\n")
    except FileNotFoundError:
        return 0


def seconds_a_step(options, kind, ranks, rows_a_rank, folder):
    """Median over the steps; metrics.jsonl is written through at every step."""
    run = os.path.join(folder, "run")
    shutil.rmtree(run, ignore_errors=True)
    wanted = options.steps + (2 if options.leave_out_first else 1)  # the beginning, and the ends of steps
    command = options.run_with.split() + ["mpirun", "--allow-run-as-root", "--bind-to", "core", "-n", str(ranks)]
    command += [options.hone, "train", "sft", "--model", options.model, "--output", run, "--quiet"]
    command += ["--data", os.path.join(folder, "rows.jsonl"), "--train-sampling-strategy", "sequential"]
    command += ["--per-device-train-batch-size", str(rows_a_rank * ranks), "--max-length", str(ROW_TOKENS)]
    command += ["--max-steps", str(wanted - 1), "--logging-steps", "1", "--save-steps", "1000000"]
    command += ["--threads", "1", "--learning-rate", "1e-5"] + kind
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    metrics, moments = os.path.join(run, "metrics.jsonl"), []
    while process.poll() is None:
        while os.path.exists(metrics) and len(moments) < 1 + lines_in(metrics):
            moments.append(time.monotonic())
        time.sleep(0.005)
    if len(moments) < wanted:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    if options.leave_out_first:
        del moments[0]
    return statistics.median(b - a for a, b in zip(moments, moments[1:]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--hone", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--vocab", type=int, default=49152)
    parser.add_argument("--tokens", type=int, default=4096, help="of a step and rank")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1, help="timed")
    parser.add_argument("--leave-out-first", action="store_true", help="the first step is not timed")
    parser.add_argument("--kinds", default="lora,full")
    parser.add_argument("--run-with", default="", help="words before each command: what keeps the machine quiet")
    options = parser.parse_args()
    rows = max(1, options.tokens // ROW_TOKENS)
    kinds = {"lora": ["--lora-r", "16"], "full": []}
    bars = {"lora": (0.90, 0.97), "full": (0.85, 0.92)}
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        write_rows(os.path.join(folder, "rows.jsonl"), 2 * rows * (options.steps + 2), options.vocab)
        for name in options.kinds.split(","):
            seconds = {1: [], 2: []}
            for turn in range(options.rounds):
                for ranks in (1, 2) if turn % 2 == 0 else (2, 1):
                    seconds[ranks].append(seconds_a_step(options, kinds[name], ranks, rows, folder))
                    print(f"{name}, {ranks} ranks: {seconds[ranks][-1]:.2f} s a step", file=sys.stderr)
            ratio = statistics.median(seconds[1]) / statistics.median(seconds[2])
            bar, stretch = bars[name]
            results[name] = {"seconds": seconds, "ratio": round(ratio, 4), "bar": bar, "stretch": stretch,
                             "tokens": rows * ROW_TOKENS}
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
