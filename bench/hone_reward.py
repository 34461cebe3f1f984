"""Measures Hone's reward modelling, all weights, 4 PandaLM pairs a step: the work and settings of peers/trl_reward.py.

Prints one JSON line a round; with --python and --hf TRL runs in turn with it and the last line is the ratio TRL / Hone (bar: 1.7, memory 0.65). Needs only Python's standard library.

    HONE_SHARED_DATA=... python3 bench/hone_reward.py --hone build/release/hone --model m.gguf --rounds 3 --python V/bin/python --hf HF
"""
import sys

from hone_steps import PEERS, add_turns, in_turn, parser_of, step_of

sys.path.insert(0, str(PEERS))
from trl_dpo import pandalm_pairs  # noqa: E402

WORDS = ["--per-device-train-batch-size", 4, "--learning-rate", "1e-5", "--max-length", 512]


def hone_round(options):
    seconds, peak, lines = step_of(options, "reward", pandalm_pairs(64), WORDS)
    return {"program": "hone", "work": "reward full, 4 pairs", "seconds": round(seconds, 3), "losses": [round(line["loss"], 6) for line in lines if "loss" in line], "peak_mb": peak}


if __name__ == "__main__":
    parser = parser_of(__doc__, 4, "counted steps; one more comes before them")
    add_turns(parser)
    parsed = parser.parse_args()
    in_turn(parsed, lambda: hone_round(parsed), "trl_reward.py", ["--steps", 1 + parsed.steps], "reward modelling, 4 pairs a step, full", 1.7, memory_wanted=0.65)
