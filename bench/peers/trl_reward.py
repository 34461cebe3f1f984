"""Measures TRL's reward modelling on PandaLM pairs, all weights, batch 4, float32. Prints a JSON line at the end. See README.md."""
import argparse
import json
import resource
import tempfile
import time

from trl_dpo import pandalm_pairs


def main(options):
    import torch
    import transformers
    import trl
    from datasets import Dataset
    torch.set_num_threads(options.threads)
    marks = []

    class Clock(transformers.TrainerCallback):
        def on_step_begin(self, *_, **__):
            marks.append([time.monotonic()])

        def on_step_end(self, *_, **__):
            marks[-1].append(time.monotonic())

    model = transformers.AutoModelForSequenceClassification.from_pretrained(options.model, num_labels=1, dtype=torch.float32)
    tokenizer = transformers.AutoTokenizer.from_pretrained(options.model)
    with tempfile.TemporaryDirectory() as out:
        config = trl.RewardConfig(output_dir=out, per_device_train_batch_size=4, max_steps=options.steps, learning_rate=1e-5, max_length=512, use_cpu=True, bf16=False,
                                  gradient_checkpointing=options.checkpointing, report_to="none", save_strategy="no", logging_steps=1, seed=1, train_sampling_strategy="sequential")
        trainer = trl.RewardTrainer(model=model, args=config, train_dataset=Dataset.from_list(pandalm_pairs(64)), processing_class=tokenizer, callbacks=[Clock()])
        trainer.train()
    seconds = [end - begin for begin, end in marks][1:]  # the first allocates the optimiser's state
    losses = [h["loss"] for h in trainer.state.log_history if "loss" in h]
    print(json.dumps({"peer": "trl", "work": "reward full, 4 pairs", "seconds": round(sum(seconds) / len(seconds), 2), "all_seconds": [round(s, 1) for s in seconds], "losses": losses,
                      "checkpointing": options.checkpointing, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, "trl": trl.__version__, "torch": torch.__version__,
                      "transformers": transformers.__version__}), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="Hugging Face directory with tokenizer, float32")
    parser.add_argument("--steps", type=int, default=5, help="the first one is not counted")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--checkpointing", action="store_true", help="TRL's default; slower, less memory")
    main(parser.parse_args())
