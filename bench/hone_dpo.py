"""Measures Hone's DPO with LoRA r16 on PandaLM pairs, batch 4: the work and settings of peers/trl_dpo.py.

The clock runs from the first reference log-probability to the end of the last step, so both the reference's
forward and the steps count, as they do inside TRL's steps; loading does not, as it does not there. Prints one
JSON line a repeat. Needs only Python's standard library.

    HONE_SHARED_DATA=... python3 bench/hone_dpo.py --hone build/release/hone --model m.gguf --steps 4 --repeats 3
"""
import sys
import time

from hone_steps import PEERS, parser_of, print_record, train

sys.path.insert(0, str(PEERS))
from trl_dpo import pandalm_pairs  # noqa: E402

WORDS = ["--per-device-train-batch-size", 4, "--learning-rate", "1e-5", "--max-length", 512, "--beta", 0.1, "--lora-r", 16, "--lora-alpha", 32]


def run_once(options):
    start = time.monotonic()
    seconds, peak, lines = train(options, "dpo", pandalm_pairs(64), options.steps, WORDS, begins="reference:")
    print_record({"program": "hone", "work": "dpo lora r16, 4 pairs", "pairs_per_s": round(4 * options.steps / seconds, 3), "seconds": round(seconds / options.steps, 2),
                  "real_tokens_per_s": round(lines[-1]["num_tokens"] / seconds, 1), "losses": [round(line["loss"], 6) for line in lines], "steps": options.steps,
                  "wall_s": round(time.monotonic() - start, 1), "peak_mb": peak})


if __name__ == "__main__":
    parser = parser_of(__doc__, 16, "16 = all 64 pairs once")
    parser.add_argument("--repeats", type=int, default=1)
    parsed = parser.parse_args()
    for _ in range(parsed.repeats):
        run_once(parsed)
