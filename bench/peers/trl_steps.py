"""What the scripts that time TRL's steps share: options, clock and last line. The heavy libraries are imported where they are used, so that --help is quick."""
import argparse
import json
import resource
import time


def parser_of(description, steps, steps_help, checkpointing_help):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--model", required=True, help="Hugging Face directory with tokenizer, float32")
    parser.add_argument("--steps", type=int, default=steps, help=steps_help)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--checkpointing", action="store_true", help=checkpointing_help)
    return parser


def clock(after_step=lambda number, seconds: None):
    """A trainer's callback, and the list to which it adds the beginning and the end of each step."""
    import transformers
    marks = []

    class Clock(transformers.TrainerCallback):
        def on_step_begin(self, *_, **__):
            marks.append([time.monotonic()])

        def on_step_end(self, *_, **__):
            marks[-1].append(time.monotonic())
            after_step(len(marks), marks[-1][1] - marks[-1][0])

    return Clock(), marks


def say(options, work, **figures):
    """Prints the last line: the figures, the peak of memory and the versions."""
    import torch
    import transformers
    import trl
    print(json.dumps({"peer": "trl", "work": work, **figures, "checkpointing": options.checkpointing, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, "trl": trl.__version__,
                      "torch": torch.__version__, "transformers": transformers.__version__}), flush=True)
