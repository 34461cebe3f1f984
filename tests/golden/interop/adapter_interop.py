"""PEFT adapters both ways: README.md. f32 noise over 30 layers is below 2e-4 here; the adapters move log-probabilities by tenths."""
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

from common import TEXTS, Checks, arguments, between, export, hone, hone_scores, torch_scores, worst, write_rows

NOISE = 2e-4
MADE_BY_PEFT = {
    "q_proj and v_proj": dict(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj"]),
    "all linear": dict(r=4, lora_alpha=4, target_modules="all-linear"),
    "feed-forward only": dict(r=5, lora_alpha=7, target_modules=["gate_proj", "up_proj", "down_proj"]),
    "rsLoRA": dict(r=16, lora_alpha=8, use_rslora=True, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"]),
    "rank and alpha patterns": dict(r=8, lora_alpha=16, target_modules=["q_proj", "o_proj", "down_proj"], rank_pattern={"q_proj": 3, "layers.7.mlp.down_proj": 12}, alpha_pattern={"o_proj": 40, "layers.7.mlp.down_proj": 5}),
    "patterns and rsLoRA": dict(r=8, lora_alpha=16, use_rslora=True, target_modules=["v_proj", "up_proj"], rank_pattern={"v_proj": 2}, alpha_pattern={"up_proj": 9}),
    "some layers, target by regular expression": dict(r=6, lora_alpha=12, target_modules=r".*layers\.(0|11|29)\.self_attn\.(q|k)_proj"),
    "layers_to_transform": dict(r=6, lora_alpha=12, target_modules=["v_proj"], layers_to_transform=[1, 28]),
}


def main():
    args = arguments()
    checks = Checks()
    folder = export(args, args.model, "folder_f32", "F32")
    def base():
        return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    plain = hone_scores(args, args.model)

    run = args.work / "run_sft"
    data = write_rows(args.work / "sft.jsonl", [{"text": t + " " + t.upper()} for t in TEXTS * 4])
    hone(args, "train", "sft", "--model", args.model, "--data", data, "--output", run, "--overwrite", "--lora-r", 8, "--learning-rate", 2e-3, "--max-steps", 6, "--per-device-train-batch-size", 4, "--max-length", 64, "--quiet")
    adapter = run / "final"
    scores = hone_scores(args, args.model, adapter)
    error = worst(scores, PeftModel.from_pretrained(base(), adapter))
    checks.check(error < NOISE and between(scores, plain) > 0.05, f"trained by hone, read by PEFT: worst difference {error:.1e}, the adapter moves log-probabilities by up to {between(scores, plain):.2f}")

    for name, options in MADE_BY_PEFT.items():
        torch.manual_seed(len(name))
        model = get_peft_model(base(), LoraConfig(task_type="CAUSAL_LM", lora_dropout=0.0, init_lora_weights=False, **options))
        with torch.no_grad():
            for key, weight in model.named_parameters():
                if "lora_B" in key:
                    weight.mul_(0.2)
        adapter = args.work / "adapter"
        model.save_pretrained(adapter)
        ours = hone_scores(args, args.model, adapter)
        error = max(abs(a - b) for ids, log_probs in ours for a, b in zip(log_probs, torch_scores(model, ids), strict=True))
        checks.check(error < NOISE and between(ours, plain) > 0.05, f"made by PEFT ({name}), read by hone: worst difference {error:.1e}, moves by up to {between(ours, plain):.2f}")
    checks.end()


main()
