"""Measures llama.cpp: prefill, decode, batched decode, scoring. One JSON line per work item. See README.md."""
import argparse
import json
import os
import re
import subprocess
import tempfile
import time

CHUNKS = 3  # windows of 512 tokens


def run(command):
    """Returns (stdout + stderr, seconds, peak resident MB)."""
    with tempfile.TemporaryFile("w+") as out:
        start = time.monotonic()
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read()
    if child.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit {child.returncode}\n{text[-2000:]}")
    return text, seconds, usage.ru_maxrss // 1024


def emit(**record):
    print(json.dumps(record), flush=True)


def bench(options, kind, model):
    text, seconds, rss = run([f"{options.bin}/llama-bench", "-m", model, "-t", str(options.threads), "-p", "512", "-n", "64", "-d", "0", "-r", str(options.repeats), "-o", "jsonl"])
    deep, deep_seconds, deep_rss = run([f"{options.bin}/llama-bench", "-m", model, "-t", str(options.threads), "-p", "0", "-n", "64", "-d", "512", "-r", str(options.repeats), "-o", "jsonl"])
    for line in text.splitlines() + deep.splitlines():
        if not line.startswith("{"):
            continue
        r = json.loads(line)
        item = f"prefill {r['n_prompt']}" if r["n_prompt"] else f"decode {r['n_gen']} at {r['n_depth']}"
        emit(peer="llama.cpp", build=r["build_commit"], weights=kind, work=item, tokens_per_s=round(r["avg_ts"], 1), best=round(max(r["samples_ts"]), 1),
             seconds=round(r["avg_ns"] / 1e9, 3), peak_mb=max(rss, deep_rss), wall_s=round(seconds + deep_seconds, 1))


def batched(options, kind, model):
    text, seconds, rss = run([f"{options.bin}/llama-batched-bench", "-m", model, "-t", str(options.threads), "-c", "4096", "-b", "2048", "-ub", "512", "-npp", "16", "-ntg", str(options.batched_tokens),
                              "-npl", "8,32", "--output-format", "jsonl"])
    for line in text.splitlines():
        if line.startswith("{"):
            r = json.loads(line)
            emit(peer="llama.cpp", weights=kind, work=f"batched decode {r['pl']}", tokens_per_s=round(r["speed_tg"], 1), seconds=round(r["t_tg"], 3), peak_mb=rss, wall_s=round(seconds, 1))


def log_seconds(text, words):
    """The time stamp of a log line: minutes.seconds.milliseconds.microseconds."""
    found = re.search(rf"^(\d+)\.(\d+)\.(\d+)\.(\d+) .*{words}", text, re.MULTILINE)
    if not found:
        raise SystemExit(f"llama-perplexity printed no time-stamped line with '{words}':\n{text[-2000:]}")
    minutes, seconds, ms, us = map(int, found.groups())
    return minutes * 60 + seconds + ms / 1e3 + us / 1e6


def score(options, kind, model):
    """llama-perplexity computes the log-probabilities of the second half of each window only: its favour."""
    text, seconds, rss = run([f"{options.bin}/llama-perplexity", "-m", model, "-t", str(options.threads), "-c", "512", "-b", "512", "-f", options.text, "--chunks", str(CHUNKS)])
    began, ended = log_seconds(text, "calculating perplexity"), log_seconds(text, "Final estimate")
    span = ended - began
    emit(peer="llama.cpp", weights=kind, work="score 512", tokens_per_s=round(CHUNKS * 512 / span, 1), seconds=round(span / CHUNKS, 3), peak_mb=rss, wall_s=round(seconds, 1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, help="folder of llama-bench, llama-batched-bench, llama-perplexity")
    parser.add_argument("--models", required=True, help="folder of NAME.TYPE.gguf files")
    parser.add_argument("--name", default="SmolLM2-135M-Instruct")
    parser.add_argument("--types", default="F32,F16,Q8_0,Q4_1,Q4_0")
    parser.add_argument("--work", default="bench,batched,score")
    parser.add_argument("--text", help="a plain text of at least 1,600 tokens for score")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--batched-tokens", type=int, default=32)
    o = parser.parse_args()
    for kind in o.types.split(","):
        for work in o.work.split(","):
            {"bench": bench, "batched": batched, "score": score}[work](o, kind, f"{o.models}/{o.name}.{kind}.gguf")
