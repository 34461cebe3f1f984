"""What the scripts that time `hone train` share: its options, one run with a clock, and the turns with TRL. Needs only Python's standard library."""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

PEERS = pathlib.Path(__file__).resolve().parent / "peers"


def parser_of(description, steps, steps_help=None):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hone", default="build/release/hone")
    parser.add_argument("--model", default=os.environ.get("HONE_MODEL"), help="a .gguf file; empty = HONE_MODEL")
    parser.add_argument("--steps", type=int, default=steps, help=steps_help)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("more", nargs="*", help="further options of hone train, after --")
    return parser


def add_turns(parser):
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--python", help="of the environment with TRL")
    parser.add_argument("--hf", help="the same model as a Hugging Face directory, float32")


def train(options, method, rows, steps, words, begins=None):
    """Trains on the rows in their order. Returns the seconds from the first line that starts with `begins` (None: the method's name) to the method's last, the peak in MB and the metrics."""
    with tempfile.TemporaryDirectory() as folder:
        data, out = pathlib.Path(folder) / "rows.jsonl", pathlib.Path(folder) / "run"
        data.write_text("".join(json.dumps(row) + "\n" for row in rows))
        command = [options.hone, "train", method, "--model", options.model, "--data", data, "--output", out, "--max-steps", steps, "--seed", 1, "--train-sampling-strategy", "sequential",
                   "--logging-steps", 1, "--save-steps", 0, "--threads", options.threads, *words, *options.more]
        process = subprocess.Popen([str(word) for word in command], stderr=subprocess.PIPE, text=True)
        begin = end = None
        said = []
        for line in process.stderr:
            said.append(line)
            if begin is None and line.startswith(begins or f"{method}:"):
                begin = time.monotonic()
            if line.startswith(f"{method}:"):
                end = time.monotonic()
        _, status, usage = os.wait4(process.pid, 0)
        if status != 0 or begin is None or end is None:
            raise SystemExit("".join(said))
        metrics = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return end - begin, usage.ru_maxrss // 1024, metrics


def step_of(options, method, rows, words):
    """Seconds of a step, the peak in MB and the metrics. The difference of a long and a short run, so that loading and the optimiser's first step are not in it."""
    short, _, _ = train(options, method, rows, 1, words)
    long, peak, metrics = train(options, method, rows, 1 + options.steps, words)
    return (long - short) / options.steps, peak, metrics


def print_record(record):
    print(json.dumps(record), flush=True)
    return record


def in_turn(options, hone_round, script, script_words, bar, wanted, **more):
    """Hone and a script of peers/ (None: Hone alone) in turn, then a line with their ratio."""
    hone, trl = [], []
    for _ in range(options.rounds):
        hone.append(print_record(hone_round()))
        if options.python and options.hf and script:
            command = [options.python, PEERS / script, "--model", options.hf, "--threads", options.threads, *script_words]
            out = subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True).stdout
            trl.append(print_record(json.loads(out.splitlines()[-1])))
    if trl:
        def ratio(above, below, key):
            return round(statistics.median(row[key] for row in above) / statistics.median(row[key] for row in below), 3)
        print_record({"bar": bar, "trl_over_hone": ratio(trl, hone, "seconds"), "wanted": wanted, "memory_hone_over_trl": ratio(hone, trl, "peak_mb"), **more})
