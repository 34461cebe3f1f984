"""Measures a step of Hone's methods that answer by themselves: the work and settings of peers/trl_online.py, 4 prompts, 32 answers of 64 tokens.

Prints one JSON line a round; with --python and --hf TRL runs in turn with it and the last line is the ratio TRL / Hone. PPO has no peer in TRL 1.16: its line stands alone. `shared-prefix` is Hone against Hone: the
update of 8 answers of 64 tokens to a prompt of 400, with its prompt computed once and once an answer. Needs only Python's standard library.

    python3 bench/hone_online.py --work grpo --hone build/release/hone --model m.gguf --rounds 2 --python V/bin/python --hf HF
"""
import statistics
import sys

from hone_steps import PEERS, add_turns, in_turn, parser_of, print_record, step_of, train

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


def rows_of(method, prompts):
    answer = {"completion": [{"role": "assistant", "content": "Of course."}]} if method == "distill" else {}
    return [{"prompt": chat(prompt), **answer} for prompt in prompts]


def words_of(options, words):
    return ["--learning-rate", "1e-6", *[options.model if word == "MODEL" else word for word in words]]


def lengths_of(metrics):
    return [line["completions/mean_length"] for line in metrics if "completions/mean_length" in line]


def hone_round(options):
    method, words, _, _ = WORKS[options.work]
    seconds, peak, metrics = step_of(options, method, rows_of(method, PROMPTS * 8), words_of(options, words))
    return {"program": "hone", "work": options.work, "seconds": round(seconds, 3), "mean_length": lengths_of(metrics), "peak_mb": peak}


def against_trl(options):
    _, _, peer, bar = WORKS[options.work]
    in_turn(options, lambda: hone_round(options), peer and "trl_online.py", ["--work", peer, "--steps", options.peer_steps], options.work, bar)


def shared_prefix(options):
    """An update is a step on recorded answers: nothing is drawn, and each program's answers are the same."""
    filler = "The lighthouse stood on a rock in the sea, and every evening its keeper climbed the stairs, lit the lamp and wrote down the weather. "
    rows = rows_of("grpo", ["Go on with this story.\n" + filler * 13] * 4)
    more = ["--num-generations", 8, "--per-device-train-batch-size", 8]
    shared, unshared = [], []
    for _ in range(options.rounds):
        for seconds, extra in ((shared, []), (unshared, ["--no-prefix-sharing"])):
            seconds.append(update(options, rows, [*more, *extra]))
    print_record({"bar": "shared prefix, update", "shared_seconds": shared, "unshared_seconds": unshared, "ratio": round(statistics.median(unshared) / statistics.median(shared), 3), "wanted": 2.5})


def update(options, rows, more):
    """Seconds of one update: several passes over a generation against one."""
    words = words_of(options, [*WORKS["grpo"][1], *more])
    one, _, _ = train(options, "grpo", rows, 1, words)
    several, _, metrics = train(options, "grpo", rows, 1 + options.steps, [*words, "--num-iterations", 1 + options.steps])
    seconds = round((several - one) / options.steps, 3)
    print_record({"work": "update", "options": more, "seconds": seconds, "mean_length": lengths_of(metrics)})
    return seconds


if __name__ == "__main__":
    parser = parser_of(__doc__, 2, "counted steps; one more comes before them")
    add_turns(parser)
    parser.add_argument("--work", required=True, choices=[*WORKS, "shared-prefix"])
    parser.add_argument("--peer-steps", type=int, default=1)
    parsed = parser.parse_args()
    (shared_prefix if parsed.work == "shared-prefix" else against_trl)(parsed)
