"""From the start of `hone generate` to the first token of an answer, the model's file in the page cache: whole runs that generate one token, so the end of the process counts too. Standard library only.

Run: python first_token.py --hone build/release/hone --model M.gguf [--rounds 7]
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hone", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--rounds", type=int, default=7)
    o = parser.parse_args()
    with open(o.model, "rb") as file:  # into the page cache
        while file.read(1 << 24):
            pass
    seconds, peak = [], 0
    with tempfile.TemporaryDirectory() as folder:
        prompts = pathlib.Path(folder) / "prompts.jsonl"
        prompts.write_text(json.dumps({"prompt": [{"role": "user", "content": "What is the capital of France?"}]}) + "\n")
        for _ in range(o.rounds):
            start = time.monotonic()
            child = subprocess.Popen([o.hone, "generate", "--model", o.model, "--prompts", prompts, "--max-tokens", "1", "--temperature", "0", "--quiet"], stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(child.pid, 0)
            seconds.append(time.monotonic() - start)
            peak = max(peak, usage.ru_maxrss // 1024)
            if status != 0:
                raise SystemExit("hone generate failed")
    print(json.dumps({"work": "hone generate, start to first token", "best_s": round(min(seconds), 3), "median_s": round(statistics.median(seconds), 3),
                      "all_s": [round(s, 3) for s in seconds], "peak_mb": peak}))
