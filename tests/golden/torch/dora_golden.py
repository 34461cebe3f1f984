"""PEFT adapters with DoRA: on `llama_tied` with rsLoRA, on `qwen2` (biases) without. Logits, and five AdamW steps of SFT: dora_*.json, adapter_dora_*/ (README.md).

Run: python dora_golden.py
"""
import peft
import torch
from transformers import AutoModelForCausalLM

from common import fixed_tokens, hashed, number, summaries, summary, versions, write_json
from f64 import true_f64
from lora_golden import ALL_LINEAR, save_adapter, short
from make_golden import HERE, OPTIMISER, VOCAB, load_f64, optimiser_steps, sft_loss, sft_rows, tokens_record


def write_start(base, folder, **config):
    model = AutoModelForCausalLM.from_pretrained(HERE / base, dtype=torch.float32)
    model = peft.get_peft_model(model, peft.LoraConfig(task_type="CAUSAL_LM", use_dora=True, r=4, lora_alpha=8, target_modules=ALL_LINEAR, **config))
    model.peft_config["default"].base_model_name_or_path = base
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "lora_A" in name or "lora_B" in name:
                p.copy_(torch.from_numpy(hashed(f"dora/{base}/{name}", p.shape) * (0.25 if "lora_A" in name else 0.125)))
            if "lora_magnitude_vector" in name:  # the norm of W, by PEFT; moved, so that no gain is 1
                p.mul_(torch.from_numpy(1 + 0.25 * hashed(f"dora/{base}/{name}", p.shape)))
    save_adapter(model, folder)


def load_start_f64(base, folder):
    """Only inside true_f64()."""
    return peft.PeftModel.from_pretrained(load_f64(base), HERE / folder, is_trainable=True, autocast_adapter_dtype=False).double().train()


def stored_name(name):
    return short(name).replace("lora_magnitude_vector.weight", "lora_magnitude_vector")


def make(base, **config):
    folder = f"adapter_dora_{base}"
    write_start(base, folder, **config)
    ids = fixed_tokens(f"dora/{base}/forward", 40, VOCAB)
    with true_f64():
        model = load_start_f64(base, folder)
        _, forward = tokens_record(model, ids)
        rows = sft_rows(base)
        named = [(stored_name(n), p) for n, p in model.named_parameters() if p.requires_grad]
        gradients = {}

        def loss_of_batch():
            loss, _ = sft_loss(model, rows)
            if not gradients:
                gradients.update({n: summary(g) for (n, _), g in zip(named, torch.autograd.grad(loss, [p for _, p in named], retain_graph=True))})
            return loss, {}

        steps = optimiser_steps([p for _, p in named], loss_of_batch, lambda: {"adapter": summaries(named)})
    write_json(HERE / f"dora_{base}.json", {"versions": versions(), "base": base, "adapter": folder, "use_rslora": bool(config.get("use_rslora")), "forward": forward, "optimiser": OPTIMISER,
                                            "gradients": gradients, "sft_rows": rows, "steps": steps})
    print(base, [s["loss"] for s in steps], [number(s["grad_norm"], 4) for s in steps])


if __name__ == "__main__":
    torch.set_num_threads(2)
    make("llama_tied", use_rslora=True)
    make("qwen2")
