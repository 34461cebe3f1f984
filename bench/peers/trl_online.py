"""Measures a step of TRL's methods that answer by themselves: 32 answers of 64 tokens, float32, on CPU. Prints a JSON line at the end. See README.md."""
import tempfile
import time

from trl_steps import clock, parser_of, say

# Each asks for a text that does not end within 64 tokens, so that every program writes as much; no two begin alike.
PROMPTS = ["Write a long story about a lighthouse keeper.", "Describe the history of bread in great detail.", "Explain at length how rivers form and change.", "Tell me everything about raising bees."]
WORKS = ["grpo", "grpo-lora", "online_dpo", "online_dpo-lora", "gkd", "distillation", "generate"]


def characters(completions, **_):
    """The reward: a pure function of the text that differs between answers."""
    texts = [c if isinstance(c, str) else c[0]["content"] for c in completions]
    return [len(t) / 400 for t in texts]


def chat(prompt):
    return [{"role": "user", "content": prompt}]


def generate(options, model, tokenizer, torch):
    """HF generate alone: 4 prompts x 8 answers of 64 tokens. Returns the seconds of each repeat."""
    texts = [tokenizer.apply_chat_template(chat(p), tokenize=False, add_generation_prompt=True) for p in PROMPTS for _ in range(8)]
    rows = tokenizer(texts, return_tensors="pt", padding=True, padding_side="left", add_special_tokens=False)
    seconds = []
    for _ in range(1 + options.steps):
        begin = time.monotonic()
        with torch.no_grad():
            model.generate(**rows, do_sample=True, top_k=0, top_p=1.0, temperature=1.0, max_new_tokens=64, min_new_tokens=64, pad_token_id=tokenizer.pad_token_id)
        seconds.append(time.monotonic() - begin)
    return seconds


def trainer_of(options, out, model, tokenizer, callbacks, torch):
    import peft
    import transformers
    import trl
    from datasets import Dataset
    method, _, lora = options.work.partition("-")
    shared = dict(output_dir=out, max_steps=1 + options.steps, learning_rate=1e-6, use_cpu=True, bf16=False, gradient_checkpointing=options.checkpointing, report_to="none",
                  save_strategy="no", logging_steps=1, seed=1)
    adapter = dict(peft_config=peft.LoraConfig(r=16, lora_alpha=32, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM")) if lora else {}
    common = dict(model=model, processing_class=tokenizer, callbacks=callbacks, **adapter)
    prompts = Dataset.from_list([{"prompt": chat(p)} for p in PROMPTS * 8])
    if method == "grpo":
        config = trl.GRPOConfig(per_device_train_batch_size=32, num_generations=8, max_completion_length=64, temperature=1.0, beta=0.0, **shared)
        return trl.GRPOTrainer(args=config, reward_funcs=characters, train_dataset=prompts, **common)
    if method == "online_dpo":
        from trl.experimental.online_dpo import OnlineDPOConfig, OnlineDPOTrainer
        config = OnlineDPOConfig(per_device_train_batch_size=16, max_new_tokens=64, max_length=512, temperature=1.0, missing_eos_penalty=None, **shared)
        return OnlineDPOTrainer(args=config, reward_funcs=characters, train_dataset=prompts, **common)
    teacher = transformers.AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32)
    if method == "gkd":
        from trl.experimental.gkd import GKDConfig, GKDTrainer
        rows = Dataset.from_list([{"messages": chat(p) + [{"role": "assistant", "content": "Of course."}]} for p in PROMPTS * 8])
        config = GKDConfig(per_device_train_batch_size=32, max_new_tokens=64, max_length=512, temperature=1.0, lmbda=1.0, beta=0.5, **shared)
        return GKDTrainer(args=config, teacher_model=teacher, train_dataset=rows, **common)
    config = trl.DistillationConfig(per_device_train_batch_size=32, max_completion_length=64, temperature=1.0, beta=0.5, **shared)
    return trl.DistillationTrainer(args=config, teacher_model=teacher, train_dataset=prompts, **common)


def main(options):
    import torch
    import transformers
    torch.set_num_threads(options.threads)
    callback, marks = clock()
    model = transformers.AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32)
    tokenizer = transformers.AutoTokenizer.from_pretrained(options.model)
    lengths = []
    if options.work == "generate":
        seconds = generate(options, model, tokenizer, torch)
    else:
        with tempfile.TemporaryDirectory() as out:
            trainer = trainer_of(options, out, model, tokenizer, [callback], torch)
            begin = time.monotonic()
            trainer.train()
        # From one step's end to the next: what a method does before the step begins (drawing answers) belongs to it.
        ends = [begin] + [end for _, end in marks]
        seconds = [b - a for a, b in zip(ends, ends[1:])]
        lengths = [h["completions/mean_length"] for h in trainer.state.log_history if "completions/mean_length" in h]
    counted = seconds[1:]  # the first allocates the optimiser's state
    say(options, options.work, seconds=round(sum(counted) / len(counted), 2), all_seconds=[round(s, 1) for s in seconds], mean_length=lengths)


if __name__ == "__main__":
    parser = parser_of(__doc__, 2, "counted steps; one more comes before them", "slower, less memory")
    parser.add_argument("--work", required=True, choices=WORKS)
    main(parser.parse_args())
