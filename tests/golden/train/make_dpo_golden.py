"""Goldens of DPO's divergences, LD-DPO and the losses that sort a batch, by TRL's own code (README.md): dpo_family.json.

  losses  DPOTrainer._compute_loss on given log-probabilities of five pairs: loss, and slopes by every token's log-probability
  steps   four optimiser steps of llama_tied in f64: TRL's _compute_loss, torch's AdamW; losses, gradient norms, metrics

Usage: python make_dpo_golden.py   where TRL is installed.
"""
import json
import pathlib
import random
import types
from collections import defaultdict

import torch
import transformers
import trl
from trl import DPOTrainer
from trl.trainer.utils import add_fused_lm_head

HERE = pathlib.Path(__file__).resolve().parent
TORCH = HERE.parent / "torch"
LENGTHS = [(3, 5), (4, 1), (2, 2), (6, 3), (1, 4)]  # tokens of the chosen and the rejected answers


def trainer_of(model, settings, ref_model=None):
    return types.SimpleNamespace(
        model=model, ref_model=ref_model, aux_loss_enabled=False, use_weighting=False, precompute_ref_logps=ref_model is None,
        accelerator=types.SimpleNamespace(device="cpu", gather_for_metrics=lambda v: v, gather=lambda v: v),
        args=types.SimpleNamespace(discopop_tau=0.05, gradient_checkpointing_kwargs=None), _metrics={"train": defaultdict(list)}, _total_train_tokens=0, _tp_size=1,
        loss_types=settings["loss_type"], loss_weights=settings.get("loss_weights", [1.0] * len(settings["loss_type"])), beta=settings.get("beta", 0.3),
        label_smoothing=settings.get("label_smoothing", 0.0), ld_alpha=settings.get("ld_alpha"), f_divergence_type=settings.get("f_divergence_type", "reverse_kl"),
        f_alpha_divergence_coef=settings.get("f_alpha_divergence_coef", 0.5))


def table():
    g = torch.Generator().manual_seed(7)
    longest = max(max(pair) for pair in LENGTHS)
    lengths = torch.tensor([c for c, _ in LENGTHS] + [r for _, r in LENGTHS])
    mask = (torch.arange(longest)[None, :] < lengths[:, None]).long()
    draw = lambda low, high: (low + (high - low) * torch.rand(len(lengths), longest, generator=g)) * mask
    now = draw(-3.0, -0.1)
    return {"mask": mask, "now": now, "reference": (now + draw(-0.7, 0.7)) * mask}


def loss_case(settings, dtype=torch.float64):
    t = table()
    now = t["now"].to(dtype).requires_grad_(True)
    mask = t["mask"]
    zeros = torch.zeros_like(now)

    class Model:
        training = True

        def __init__(self, log_probs):
            self.log_probs = log_probs

        def __call__(self, **_):
            return types.SimpleNamespace(log_probs=self.log_probs * mask, entropy=zeros, mean_logits=zeros, is_top1=zeros.bool(), loss=None)

    model = Model(now)
    trainer = trainer_of(model, settings, Model(t["reference"].to(dtype)))
    whole = torch.cat([torch.zeros(len(mask), 1, dtype=torch.long), mask], 1)
    # disable_gradient_checkpointing looks at the model's modules
    saved, module = DPOTrainer._compute_loss.__globals__["disable_gradient_checkpointing"], DPOTrainer._compute_loss.__globals__
    module["disable_gradient_checkpointing"] = lambda *a, **k: torch.no_grad()
    module["is_peft_model"], peft = (lambda m: False), module["is_peft_model"]
    loss = DPOTrainer._compute_loss(trainer, model, {"input_ids": whole, "attention_mask": torch.ones_like(whole), "completion_mask": whole}, False)
    module["disable_gradient_checkpointing"], module["is_peft_model"] = saved, peft
    loss.backward()
    n = len(LENGTHS)
    slopes = [{"chosen": now.grad[i, :c].tolist(), "rejected": now.grad[n + i, :r].tolist()} for i, (c, r) in enumerate(LENGTHS)]
    return {"settings": settings, "loss": loss.item(), "slopes": slopes, "metrics": {k: v[0] for k, v in trainer._metrics["train"].items() if k.startswith(("rewards/", "logps/"))}}


def losses():
    cases = {}
    for kind in ("sigmoid", "sigmoid_norm", "hinge", "ipo", "exo_pair", "robust", "discopop"):
        base = {"loss_type": [kind], "beta": 0.3}
        if kind in ("exo_pair", "robust"):
            base["label_smoothing"] = 0.1
        for divergence in ("forward_kl", "js_divergence"):
            cases[f"{kind} {divergence}"] = loss_case({**base, "f_divergence_type": divergence})
        # TRL knows the alpha divergence in f32 and below only
        for alpha in (0.5, 1.0, 1.75):
            cases[f"{kind} alpha {alpha}"] = loss_case({**base, "f_divergence_type": "alpha_divergence", "f_alpha_divergence_coef": alpha}, torch.float32)
        cases[f"{kind} ld"] = loss_case({**base, "ld_alpha": 0.4})
    for kind in ("nca_pair", "sppo_hard", "apo_down", "bco_pair", "apo_zero"):
        cases[f"{kind} ld"] = loss_case({"loss_type": [kind], "beta": 0.3, "ld_alpha": 0.0})
    for kind in ("aot", "aot_unpaired"):
        for name, more in {"": {}, " smoothed": {"label_smoothing": 0.1}, " ld": {"ld_alpha": 0.5}}.items():
            cases[kind + name] = loss_case({"loss_type": [kind], "beta": 0.3, **more})
    cases["mixed"] = loss_case({"loss_type": ["aot", "sft", "sigmoid"], "loss_weights": [0.5, 0.25, 1.0], "beta": 0.3, "ld_alpha": 0.4})
    cases["js and sft"] = loss_case({"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 0.5], "beta": 0.3, "f_divergence_type": "js_divergence"})
    return cases


def pairs():
    dice = random.Random(11)
    tokens = lambda n: [dice.randrange(3, 90) for _ in range(n)]
    return [{"prompt_ids": tokens(3 + i % 3), "chosen_ids": tokens(2 + i % 4), "rejected_ids": tokens(1 + (i * 2) % 5)} for i in range(6)]


def micro_batch(some):
    rows = [p["prompt_ids"] + p["chosen_ids"] for p in some] + [p["prompt_ids"] + p["rejected_ids"] for p in some]
    starts = [len(p["prompt_ids"]) for p in some] * 2
    longest = max(map(len, rows))
    tensor = lambda f: torch.tensor([[f(r, s, i) for i in range(longest)] for r, s in zip(rows, starts)])
    return {"input_ids": tensor(lambda r, s, i: r[i] if i < len(r) else 0), "attention_mask": tensor(lambda r, s, i: int(i < len(r))),
            "completion_mask": tensor(lambda r, s, i: int(s <= i < len(r)))}


def run(settings):
    """Four steps of two micro-batches of two pairs; an epoch has three micro-batches, so every other step has one."""
    load = lambda: transformers.AutoModelForCausalLM.from_pretrained(TORCH / "llama_tied", dtype=torch.float64)
    model, reference = load(), load()
    for each in (model, reference):
        add_fused_lm_head(each, outputs=("log_probs", "entropy", "mean_logits", "is_top1"))
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-4, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    every, steps = pairs(), []
    for step in range(4):
        rows = every[:4] if step % 2 == 0 else every[4:]
        micro = [rows[i:i + 2] for i in range(0, len(rows), 2)]
        trainer = trainer_of(model, settings, reference)
        loss = 0.0
        for some in micro:
            part = DPOTrainer._compute_loss(trainer, model, micro_batch(some), False) / len(micro)
            part.backward()
            loss += part.item()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1e9).item()
        optimizer.step()
        optimizer.zero_grad()
        mean = lambda key: sum(trainer._metrics["train"][key]) / len(micro)
        steps.append({"loss": loss, "grad_norm": norm, **{k: mean(k) for k in ("rewards/chosen", "rewards/rejected", "logps/chosen", "logps/rejected")}})
    return {"settings": settings, "steps": steps}


def main():
    t = table()
    n = len(LENGTHS)
    rows = [{"chosen": t["now"][i, :c].tolist(), "rejected": t["now"][n + i, :r].tolist(), "ref_chosen": t["reference"][i, :c].tolist(), "ref_rejected": t["reference"][n + i, :r].tolist()}
            for i, (c, r) in enumerate(LENGTHS)]
    runs = {"aot": {"loss_type": ["aot"], "label_smoothing": 0.1}, "aot_unpaired": {"loss_type": ["aot_unpaired"], "ld_alpha": 0.3},
            "aot and sigmoid": {"loss_type": ["aot", "sigmoid"], "loss_weights": [1.0, 0.5]},
            "js": {"loss_type": ["sigmoid"], "f_divergence_type": "js_divergence", "ld_alpha": 0.5}, "forward_kl": {"loss_type": ["ipo"], "f_divergence_type": "forward_kl"},
            "sigmoid": {"loss_type": ["sigmoid"]}}
    out = {"versions": {"trl": trl.__version__, "torch": torch.__version__, "transformers": transformers.__version__}, "table": rows, "losses": losses(),
           "pairs": pairs(), "learning_rate": 2e-4, "runs": {k: run({"beta": 0.3, **v}) for k, v in runs.items()}}
    (HERE / "dpo_family.json").write_text(json.dumps(out) + "\n")
    for name, case in out["runs"].items():
        print(name, [round(s["loss"], 6) for s in case["steps"]])


if __name__ == "__main__":
    main()
