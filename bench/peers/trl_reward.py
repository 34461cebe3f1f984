"""Measures TRL's reward modelling on PandaLM pairs, all weights, batch 4, float32. Prints a JSON line at the end. See README.md."""
import tempfile

from trl_dpo import pandalm_pairs
from trl_steps import clock, parser_of, say


def main(options):
    import torch
    import transformers
    import trl
    from datasets import Dataset
    torch.set_num_threads(options.threads)
    callback, marks = clock()
    model = transformers.AutoModelForSequenceClassification.from_pretrained(options.model, num_labels=1, dtype=torch.float32)
    tokenizer = transformers.AutoTokenizer.from_pretrained(options.model)
    with tempfile.TemporaryDirectory() as out:
        config = trl.RewardConfig(output_dir=out, per_device_train_batch_size=4, max_steps=options.steps, learning_rate=1e-5, max_length=512, use_cpu=True, bf16=False,
                                  gradient_checkpointing=options.checkpointing, report_to="none", save_strategy="no", logging_steps=1, seed=1, train_sampling_strategy="sequential")
        trainer = trl.RewardTrainer(model=model, args=config, train_dataset=Dataset.from_list(pandalm_pairs(64)), processing_class=tokenizer, callbacks=[callback])
        trainer.train()
    seconds = [end - begin for begin, end in marks][1:]  # the first allocates the optimiser's state
    losses = [h["loss"] for h in trainer.state.log_history if "loss" in h]
    say(options, "reward full, 4 pairs", seconds=round(sum(seconds) / len(seconds), 2), all_seconds=[round(s, 1) for s in seconds], losses=losses)


if __name__ == "__main__":
    main(parser_of(__doc__, 5, "the first one is not counted", "TRL's default; slower, less memory").parse_args())
