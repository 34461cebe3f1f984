"""Measures a step of Hone's methods that answer by themselves: the work and settings of peers/trl_online.py, 4 prompts, 32 answers of 64 tokens.

A step's time is the difference of a long and a short run over the steps between them, so that loading and the optimiser's first step are in neither, as they are not there. Prints one JSON line
a round; with --python and --hf TRL runs in turn with it and the last line is the ratio TRL / Hone. PPO has no peer in TRL 1.16: its line stands alone. `shared-prefix` is Hone against Hone: the
update of 8 answers of 64 tokens to a prompt of 400, with its prompt computed once and once an answer. Needs only Python's standard library.

    python3 bench/hone_online.py --work grpo --hone build/release/hone --model m.gguf --rounds 2 --python V/bin/python --hf HF
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
from trl_online import PROMPTS, chat  # noqa: E402

SAMPLED = ["--reward", "length:unit=characters,target=400", "--max-completion-length", 64, "--temperature", 1]
DISTILLED = ["--teacher", "MODEL", "--lmbda", 1, "--beta", 0.5, "--max-new-tokens", 64, "--temperature", 1, "--per-device-train-batch-size", 32]
LORA = ["--lora-r", 16]
WORKS = {  # work: method, options, TRL's work, the bar; online DPO counts prompts, in TRL too
    "grpo": ("grpo", [*SAMPLED, "--per-device-train-batch-size", 32], "grpo", 2.8),
    "grpo-lora": ("grpo", [*SAMPLED, "--per-device-train-batch-size", 32, *LORA], "grpo-lora", 3.5),
    "online_dpo": ("online_dpo", [*SAMPLED, "--per-device-train-batch-size", 16], "online_dpo", 2.5),
    "online_dpo-lora": ("online_dpo", [*SAMPLED, "--per-device-train-batch-size", 16, *LORA], "online_dpo-lora", 2.5),
    "ppo": ("ppo", [*SAMPLED[:2], "--response-length", 64, "--temperature", 1, "--num-ppo-epochs", 1, "--per-device-train-batch-size", 32], None, None),
    "gkd": ("distill", DISTILLED, "gkd", 2.5),
    "distillation": ("distill", DISTILLED, "distillation", 2.5),
}


def data_of(method, prompts):
    rows = []
    for prompt in prompts:
        row = {"prompt": chat(prompt)}
        if method == "distill":
            row["completion"] = [{"role": "assistant", "content": "Of course."}]
        rows.append(json.dumps(row) + "\n")
    return "".join(rows)


def run_hone(options, folder, work, steps, prompts=None, more=()):
    method, words, _, _ = WORKS[work]
    folder = pathlib.Path(folder)
    data = folder / "prompts.jsonl"
    data.write_text(data_of(method, prompts or PROMPTS * 8))
    command = [options.hone, "train", method, "--model", options.model, "--data", data, "--output", folder / "run", "--overwrite", "--max-steps", steps, "--learning-rate", "1e-6", "--seed", 1,
               "--train-sampling-strategy", "sequential", "--logging-steps", 1, "--save-steps", 0, "--threads", options.threads,
               *[options.model if word == "MODEL" else word for word in words], *more, *options.more]
    process = subprocess.Popen([str(word) for word in command], stderr=subprocess.PIPE, text=True)
    begin = end = None
    said = []
    for line in process.stderr:
        said.append(line)
        if line.startswith(f"{method}:"):
            end = time.monotonic()
            begin = begin or end
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0 or begin is None:
        raise SystemExit("".join(said))
    lines = [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text().splitlines()]
    lengths = [line["completions/mean_length"] for line in lines if "completions/mean_length" in line]
    return end - begin, usage.ru_maxrss // 1024, lengths


def seconds_of_a_step(options, folder, work, prompts=None, more=()):
    short, _, _ = run_hone(options, folder, work, 1, prompts, more)
    long, peak, lengths = run_hone(options, folder, work, 1 + options.steps, prompts, more)
    return (long - short) / options.steps, peak, lengths


def hone_round(options):
    with tempfile.TemporaryDirectory() as folder:
        seconds, peak, lengths = seconds_of_a_step(options, folder, options.work)
    record = {"program": "hone", "work": options.work, "seconds": round(seconds, 3), "mean_length": lengths, "peak_mb": peak}
    print(json.dumps(record), flush=True)
    return record


def trl_round(options, peer):
    command = [options.python, PEERS / "trl_online.py", "--work", peer, "--model", options.hf, "--steps", options.peer_steps, "--threads", options.threads]
    out = subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True).stdout
    print(out.splitlines()[-1], flush=True)
    return json.loads(out.splitlines()[-1])


def middle(rows, key):
    return statistics.median(row[key] for row in rows)


def against_trl(options):
    _, _, peer, bar = WORKS[options.work]
    hone, trl = [], []
    for _ in range(options.rounds):
        hone.append(hone_round(options))
        if options.python and options.hf and peer:
            trl.append(trl_round(options, peer))
    if trl:
        print(json.dumps({"bar": options.work, "trl_over_hone": round(middle(trl, "seconds") / middle(hone, "seconds"), 3), "wanted": bar,
                          "memory_hone_over_trl": round(middle(hone, "peak_mb") / middle(trl, "peak_mb"), 3)}))


def shared_prefix(options):
    """An update is a step on recorded answers: nothing is drawn, and each program's answers are the same."""
    filler = "The lighthouse stood on a rock in the sea, and every evening its keeper climbed the stairs, lit the lamp and wrote down the weather. "
    prompt = "Go on with this story.\n" + filler * 13
    with tempfile.TemporaryDirectory() as folder:
        more = ["--num-generations", 8, "--per-device-train-batch-size", 8]
        shared, unshared = [], []
        for _ in range(options.rounds):
            for seconds, extra in ((shared, []), (unshared, ["--no-prefix-sharing"])):
                seconds.append(updates(options, folder, prompt, [*more, *extra]))
        print(json.dumps({"bar": "shared prefix, update", "shared_seconds": shared, "unshared_seconds": unshared, "ratio": round(statistics.median(unshared) / statistics.median(shared), 3), "wanted": 2.5}))


def updates(options, folder, prompt, more):
    """Seconds of one update: two passes over a generation against one."""
    one, _, _ = run_hone(options, folder, "grpo", 1, [prompt] * 4, more)
    several, _, lengths = run_hone(options, folder, "grpo", 1 + options.steps, [prompt] * 4, [*more, "--num-iterations", 1 + options.steps])
    seconds = round((several - one) / options.steps, 3)
    print(json.dumps({"work": "update", "options": more, "seconds": seconds, "mean_length": lengths}, default=str), flush=True)
    return seconds


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True, choices=[*WORKS, "shared-prefix"])
    parser.add_argument("--hone", default="build/release/hone")
    parser.add_argument("--model", default=os.environ.get("HONE_MODEL"), help="a .gguf file; empty = HONE_MODEL")
    parser.add_argument("--steps", type=int, default=2, help="counted steps; one more comes before them")
    parser.add_argument("--peer-steps", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--python", help="of the environment with TRL")
    parser.add_argument("--hf", help="the same model as a Hugging Face directory, float32")
    parser.add_argument("more", nargs="*", help="further options of hone train, after --")
    parsed = parser.parse_args()
    (shared_prefix if parsed.work == "shared-prefix" else against_trl)(parsed)
