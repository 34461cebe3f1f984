"""Measures torch + transformers (+ peft): training steps and scoring in float32. One JSON line per work item. See README.md."""
import argparse
import json
import os
import resource
import subprocess
import sys
import time

WORK = ["full-1x512", "full-8x128", "full-4x512", "lora-1x512", "lora-8x128", "score-1x512"]


def measure(options, work):
    """One work item in this process, so that the peak is its own."""
    import torch
    import transformers
    torch.set_num_threads(options.threads)
    kind, shape = work.split("-")
    rows, length = map(int, shape.split("x"))
    model = transformers.AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32, attn_implementation="sdpa")
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    if kind == "lora":
        import peft
        versions["peft"] = peft.__version__
        model = peft.get_peft_model(model, peft.LoraConfig(r=16, lora_alpha=32, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM"))
    ids = torch.randint(0, 49000, (rows, length), generator=torch.Generator().manual_seed(1))
    parts = {"forward": [], "backward": [], "optimiser": []}

    def score():
        with torch.no_grad():
            logp = torch.log_softmax(model(ids, use_cache=False).logits[:, :-1], -1)
            return logp.gather(2, ids[:, 1:, None])

    if kind == "score":
        step = score
        model.eval()
    else:
        model.train()
        trained = [p for p in model.parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW(trained, lr=1e-5)

        def step():
            start = time.monotonic()
            loss = model(ids, labels=ids, use_cache=False).loss
            middle = time.monotonic()
            loss.backward()
            end = time.monotonic()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            for name, seconds in [("forward", middle - start), ("backward", end - middle), ("optimiser", time.monotonic() - end)]:
                parts[name].append(seconds)

    seconds = []
    for _ in range(options.steps + 1):
        start = time.monotonic()
        step()
        seconds.append(time.monotonic() - start)
    best = min(range(1, len(seconds)), key=seconds.__getitem__)
    record = {"peer": "transformers", "work": work, "tokens_per_s": round(rows * length / seconds[best], 1), "seconds": round(seconds[best], 3), "all_seconds": [round(s, 2) for s in seconds],
              "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, **versions}
    if kind != "score":
        record["parts"] = {name: round(values[best], 3) for name, values in parts.items()}
    print(json.dumps(record), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="Hugging Face directory, float32")
    parser.add_argument("--work", default=",".join(WORK))
    parser.add_argument("--steps", type=int, default=2, help="measured steps after one warm-up; the best counts")
    parser.add_argument("--threads", type=int, default=2)
    o = parser.parse_args()
    items = o.work.split(",")
    if len(items) == 1:
        measure(o, items[0])
    else:
        for item in items:
            subprocess.run([sys.executable, os.path.abspath(__file__), "--model", o.model, "--work", item, "--steps", str(o.steps), "--threads", str(o.threads)], check=True)
