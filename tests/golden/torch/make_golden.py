"""Writes the golden directories and JSON files beside this script. See README.md. Run: python make_golden.py [models] [dpo] [lora] [reward]"""
import json
import pathlib
import sys

import numpy as np
import torch
import transformers
from safetensors.numpy import load_file
from transformers import AutoModelForCausalLM

from common import fixed_tokens, hashed, number, numbers, summaries, versions, write_json
from f64 import true_f64, witness_logits

HERE = pathlib.Path(__file__).resolve().parent
VOCAB = 128
BASE = dict(vocab_size=VOCAB, hidden_size=48, intermediate_size=80, num_hidden_layers=2, num_attention_heads=6, num_key_value_heads=2, head_dim=8,
            max_position_embeddings=256, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2, pad_token_id=None)
DEFAULT_ROPE = {"rope_type": "default", "rope_theta": 10000.0}
LLAMA3_ROPE = {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32}
MODELS = {
    "llama_tied": ("LlamaConfig", dict(BASE, tie_word_embeddings=True, rope_parameters=DEFAULT_ROPE)),
    "llama_untied": ("LlamaConfig", dict(BASE, num_hidden_layers=3, tie_word_embeddings=False, rope_parameters=DEFAULT_ROPE)),
    "llama3": ("LlamaConfig", dict(BASE, num_attention_heads=4, head_dim=16, tie_word_embeddings=True, rope_parameters=LLAMA3_ROPE)),
    "mistral": ("MistralConfig", dict(BASE, tie_word_embeddings=False, sliding_window=8, rope_parameters=DEFAULT_ROPE)),
    "qwen2": ("Qwen2Config", dict({k: v for k, v in BASE.items() if k != "head_dim"}, rms_norm_eps=1e-6, tie_word_embeddings=True, use_sliding_window=False,
                                  rope_parameters={"rope_type": "default", "rope_theta": 1000000.0})),
    "qwen3": ("Qwen3Config", dict(BASE, num_attention_heads=4, head_dim=16, rms_norm_eps=1e-6, tie_word_embeddings=True, use_sliding_window=False,
                                  rope_parameters={"rope_type": "default", "rope_theta": 1000000.0})),
}
OLD_FORM = {"mistral", "qwen2"}  # config.json as transformers 4 wrote it
LOGIT_POSITIONS = [0, 1, 7, 8, 9, 20, 31, 39]
OPTIMISER = {"learning_rate": 1e-3, "adam_beta1": 0.9, "adam_beta2": 0.999, "adam_epsilon": 1e-8, "weight_decay": 0.01, "max_grad_norm": 1.0, "warmup_steps": 2, "max_steps": 5,
             "lr_scheduler_type": "linear"}


def fill(name, parameter):
    if name.endswith("norm.weight"):
        return 1 + 0.25 * hashed(name, parameter.shape)
    if name.endswith(".bias"):
        return 0.3 * hashed(name, parameter.shape)
    if "embed_tokens" in name or "lm_head" in name:
        return 0.5 * hashed(name, parameter.shape)
    return np.float32(1.2 / np.sqrt(parameter.shape[1])) * hashed(name, parameter.shape)


def old_form(config):
    """The same configuration as transformers 4 wrote it: rope_theta and rope_scaling at the top, torch_dtype."""
    c = dict(config)
    rope = dict(c.pop("rope_parameters"))
    c["rope_theta"] = rope.pop("rope_theta")
    c["rope_scaling"] = None if rope["rope_type"] == "default" else rope
    c["torch_dtype"] = c.pop("dtype", "float32")
    c["transformers_version"] = "4.46.0"
    return c


def make_directory(name):
    kind, options = MODELS[name]
    config = getattr(transformers, kind)(**options)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for pname, p in model.named_parameters():
            p.copy_(torch.from_numpy(fill(f"{name}/{pname}", p)))
    out = HERE / name
    model.save_pretrained(out, max_shard_size="100KB" if name == "llama_untied" else "5GB")
    for extra in out.glob("generation_config.json"):
        extra.unlink()
    for f in out.glob("*.safetensors"):
        f.chmod(0o644)
    config_json = json.loads((out / "config.json").read_text())
    if name in OLD_FORM:
        (out / "config.json").write_text(json.dumps(old_form(config_json), indent=2) + "\n")
    if name == "llama3":
        (out / "config.old.json").write_text(json.dumps(old_form(config_json), indent=2) + "\n")


def load_f64(name):
    """Only inside true_f64()."""
    model = AutoModelForCausalLM.from_pretrained(HERE / name, dtype=torch.float64, attn_implementation="eager")
    assert all(p.dtype == torch.float64 for p in model.parameters())
    assert model.model.rotary_emb.inv_freq.dtype == torch.float64
    assert model.model.embed_tokens.padding_idx is None
    return model.train()


def weights_of(name):
    w = {}
    for f in sorted((HERE / name).glob("*.safetensors")):
        w.update(load_file(f))
    return w


def sft_rows(name):
    rows = []
    for i, (length, first_target) in enumerate([(9, 4), (17, 1), (26, 11), (5, 2), (13, 6)]):
        ids = fixed_tokens(f"{name}/sft{i}", length, VOCAB)
        labels = [-100] * first_target + ids[first_target:]
        if i == 2:
            labels[15:19] = [-100] * 4
        rows.append({"input_ids": ids, "labels": labels})
    return rows


def sft_loss(model, rows):
    """Sum of -log p over the targets of the whole batch / their number. Each row alone: no padding."""
    total, count = 0.0, 0
    for row in rows:
        logits = model(torch.tensor([row["input_ids"]]), use_cache=False).logits[0, :-1]
        labels = torch.tensor(row["labels"][1:])
        total = total + torch.nn.functional.cross_entropy(logits, labels, ignore_index=-100, reduction="sum")
        count += int((labels != -100).sum())
    return total / count, count


def make_optimiser(parameters):
    o = OPTIMISER
    optimiser = torch.optim.AdamW(parameters, lr=o["learning_rate"], betas=(o["adam_beta1"], o["adam_beta2"]), eps=o["adam_epsilon"], weight_decay=o["weight_decay"])
    return optimiser, transformers.get_linear_schedule_with_warmup(optimiser, o["warmup_steps"], o["max_steps"])


def optimiser_steps(parameters, loss_of_batch, after_step=lambda: {}):
    """Five steps of AdamW; returns one record a step: loss and grad_norm before the update, the rate used."""
    parameters = list(parameters)
    optimiser, schedule = make_optimiser(parameters)
    steps = []
    for step in range(OPTIMISER["max_steps"]):
        optimiser.zero_grad()
        loss, extra = loss_of_batch()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters, OPTIMISER["max_grad_norm"])
        rate = schedule.get_last_lr()[0]
        optimiser.step()
        schedule.step()
        steps.append({"step": step + 1, "loss": number(loss), "grad_norm": number(norm), "learning_rate": number(rate), **extra, **after_step()})
    return steps


def tokens_record(model, ids):
    logits = model(torch.tensor([ids]), use_cache=False).logits[0].detach()
    logp = torch.log_softmax(logits, -1)
    entropy = -(logp.exp() * logp).sum(-1)
    return logits, {
        "input_ids": ids, "logprobs": numbers(logp[torch.arange(len(ids) - 1), torch.tensor(ids[1:])]), "argmax": logits.argmax(-1).tolist(), "entropy": numbers(entropy),
        "logit_positions": LOGIT_POSITIONS, "logits": [numbers(logits[p], 9) for p in LOGIT_POSITIONS]}


def make_model_golden(name):
    ids = fixed_tokens(f"{name}/forward", 40, VOCAB)
    with true_f64():
        model = load_f64(name)
        logits, forward = tokens_record(model, ids)
        worst = np.abs(witness_logits(model.config, weights_of(name), ids) - logits.numpy()).max()
        assert worst < 1e-11, (name, worst)
        rows = sft_rows(name)
        loss, count = sft_loss(model, rows)
        loss.backward()
        gradients = summaries((n, p.grad) for n, p in model.named_parameters())
        norm = torch.stack([p.grad.norm() for p in model.parameters()]).norm()
        steps = optimiser_steps(model.parameters(), lambda: (sft_loss(model, rows)[0], {}))
        after = summaries(model.named_parameters())
    plain = AutoModelForCausalLM.from_pretrained(HERE / name, dtype=torch.float32)
    with torch.no_grad():
        off = (plain(torch.tensor([ids])).logits[0].double() - logits).abs().max()
    write_json(HERE / f"{name}.json", {
        "versions": versions(), "model": name, "forward": forward, "transformers_f32_logits_off_by": number(off, 2), "sft_rows": rows, "sft_targets": count,
        "sft_loss": number(loss), "grad_norm": number(norm), "gradients": gradients, "optimiser": OPTIMISER, "steps": steps, "weights_after": after})
    print(name, f"loss {float(loss):.6f} norm {float(norm):.6f} witness {worst:.1e} f32 off by {float(off):.1e}")


if __name__ == "__main__":
    parts = sys.argv[1:] or ["models", "dpo", "lora", "reward"]
    torch.set_num_threads(2)
    if "models" in parts:
        for model_name in MODELS:
            make_directory(model_name)
            make_model_golden(model_name)
    if "dpo" in parts:
        import dpo_golden
        dpo_golden.make_losses()
    if "lora" in parts:
        import lora_golden
        lora_golden.make_rslora()
        lora_golden.make_dpo_run()
    if "reward" in parts:
        import reward_golden
        reward_golden.make_rewards()
