"""Measures Hone's DPO with LoRA r16 on PandaLM pairs, batch 4: the work and settings of peers/trl_dpo.py.

The clock runs from the first reference log-probability to the end of the last step, so both the reference's
forward and the steps count, as they do inside TRL's steps; loading does not, as it does not there. Prints one
JSON line a repeat. Needs only Python's standard library.

    HONE_SHARED_DATA=... python3 bench/hone_dpo.py --hone build/release/hone --model m.gguf --steps 4 --repeats 3
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "peers"))
from trl_dpo import pandalm_pairs  # noqa: E402


def run_once(options, folder):
    data = pathlib.Path(folder) / "pairs.jsonl"
    data.write_text("".join(json.dumps(pair) + "\n" for pair in pandalm_pairs(64)))
    out = pathlib.Path(folder) / "run"
    command = [options.hone, "train", "dpo", "--model", options.model, "--data", data, "--output", out, "--overwrite",
               "--per-device-train-batch-size", "4", "--max-steps", options.steps, "--learning-rate", "1e-5", "--max-length", "512", "--beta", "0.1", "--lora-r", "16",
               "--lora-alpha", "32", "--seed", "1", "--train-sampling-strategy", "sequential", "--logging-steps", "1", "--save-steps", "0", "--threads", options.threads,
               *options.more]
    start = time.monotonic()
    process = subprocess.Popen([str(word) for word in command], stderr=subprocess.PIPE, text=True)
    begin = end = None
    said = []
    for line in process.stderr:
        said.append(line)
        if line.startswith("reference:") and begin is None:
            begin = time.monotonic()
        if line.startswith("dpo:") and "took" in line:
            end = time.monotonic()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0 or begin is None or end is None:
        raise SystemExit("".join(said))
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    seconds = end - begin
    print(json.dumps({"program": "hone", "work": "dpo lora r16, 4 pairs", "pairs_per_s": round(4 * options.steps / seconds, 3), "seconds": round(seconds / options.steps, 2),
                      "real_tokens_per_s": round(lines[-1]["num_tokens"] / seconds, 1), "losses": [round(line["loss"], 6) for line in lines], "steps": options.steps,
                      "wall_s": round(time.monotonic() - start, 1), "peak_mb": usage.ru_maxrss // 1024}), flush=True)


def main(options):
    for _ in range(options.repeats):
        with tempfile.TemporaryDirectory() as folder:
            run_once(options, folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hone", default="build/release/hone")
    parser.add_argument("--model", default=os.environ.get("HONE_MODEL"), help="a .gguf file; empty = HONE_MODEL")
    parser.add_argument("--steps", type=int, default=16, help="16 = all 64 pairs once")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("more", nargs="*", help="further options of hone train dpo, after --")
    main(parser.parse_args())
