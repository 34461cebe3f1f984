"""Measures TRL's DPO with LoRA r16 on PandaLM pairs, batch 4, float32. Prints a JSON line after each step and one at the end. See README.md."""
import json
import os
import pathlib
import tempfile
import time

from trl_steps import clock, parser_of, say


def pandalm_pairs(count):
    """The first `count` rows where all three annotators prefer the same answer."""
    root = os.environ.get("HONE_SHARED_DATA")
    if not root:
        raise SystemExit("set HONE_SHARED_DATA to the folder that holds pandalm/testset-v1.json")
    rows = json.loads((pathlib.Path(root) / "pandalm" / "testset-v1.json").read_text())
    pairs = []
    for row in rows:
        votes = {row["annotator1"], row["annotator2"], row["annotator3"]}
        if votes not in ({1}, {2}) or len(pairs) == count:
            continue
        best, worst = (row["response1"], row["response2"]) if votes == {1} else (row["response2"], row["response1"])
        prompt = row["instruction"] + ("\n\n" + row["input"] if row["input"] else "")
        pairs.append({"prompt": [{"role": "user", "content": prompt}], "chosen": [{"role": "assistant", "content": best}], "rejected": [{"role": "assistant", "content": worst}]})
    return pairs


def main(options):
    import peft
    import torch
    import transformers
    import trl
    from datasets import Dataset
    torch.set_num_threads(options.threads)
    callback, marks = clock(
        lambda number, seconds: print(json.dumps({"peer": "trl", "work": "dpo lora r16, 4 pairs, one step", "step": number, "seconds": round(seconds, 2)}), flush=True))
    model = transformers.AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32)
    tokenizer = transformers.AutoTokenizer.from_pretrained(options.model)
    with tempfile.TemporaryDirectory() as out:
        config = trl.DPOConfig(output_dir=out, per_device_train_batch_size=4, max_steps=options.steps, learning_rate=1e-5, max_length=512, beta=0.1, use_cpu=True, bf16=False,
                               gradient_checkpointing=options.checkpointing, report_to="none", save_strategy="no", logging_steps=1, seed=1, train_sampling_strategy="sequential",
                               precompute_ref_log_probs=options.precompute)
        trainer = trl.DPOTrainer(model=model, args=config, train_dataset=Dataset.from_list(pandalm_pairs(64)), processing_class=tokenizer, callbacks=[callback],
                                 peft_config=peft.LoraConfig(r=16, lora_alpha=32, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM"))
        start = time.monotonic()
        trainer.train()
        wall = time.monotonic() - start
    losses = [h["loss"] for h in trainer.state.log_history if "loss" in h]
    seconds = [end - begin for begin, end in marks]
    tokens = [h["num_tokens"] for h in trainer.state.log_history if "loss" in h][-1]
    say(options, "dpo lora r16, 4 pairs", pairs_per_s=round(4 * len(seconds) / sum(seconds), 3), seconds=round(sum(seconds) / len(seconds), 2), all_seconds=[round(s, 1) for s in seconds],
        real_tokens_per_s=round(tokens / sum(seconds), 1), losses=losses, wall_s=round(wall, 1), peft=peft.__version__)


if __name__ == "__main__":
    parser = parser_of(__doc__, 16, "16 = all 64 pairs once", "TRL's default; slower, less memory")
    parser.add_argument("--precompute", action="store_true", help="reference log-probabilities before the steps (outside the step times)")
    main(parser.parse_args())
