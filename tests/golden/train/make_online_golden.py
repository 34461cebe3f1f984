"""Goldens of whole runs on recorded answers, by TRL's own losses (README.md): online_runs.json.

llama_tied in f64 learns from four groups of four answers with given rewards: four optimiser steps of two groups in two micro-batches, old
log-probabilities those of the model before the first step. GRPOTrainer._compute_loss and RLOOTrainer._compute_loss give the loss, the lines of
_generate_and_score_completions the advantages, the lines of OnlineDPOTrainer the pairs' loss, torch's AdamW the step. REINFORCE++ is written out here:
TRL has none.

Usage: python make_online_golden.py   where TRL is installed.
"""
import inspect
import json
import pathlib
import random
import textwrap
import types

import torch
import transformers
import trl
from trl import GRPOTrainer, RLOOTrainer
from trl.experimental.online_dpo import OnlineDPOTrainer
from trl.trainer import grpo_trainer, rloo_trainer

import make_policy_golden as policy

HERE = pathlib.Path(__file__).resolve().parent
TORCH = HERE.parent / "torch"
GROUPS, SIZE, WIDTH, STEPS, RATE = 4, 4, 6, 4, 2e-4


def load():
    return transformers.AutoModelForCausalLM.from_pretrained(TORCH / "llama_tied", dtype=torch.float64)


def answers():
    dice = random.Random(3)
    tokens = lambda n: [dice.randrange(3, 90) for _ in range(n)]
    rows = []
    for g in range(GROUPS):
        prompt = tokens(2 + g)
        for k in range(SIZE):
            rows.append({"prompt_ids": prompt, "completion_ids": tokens(2 + (g + 2 * k) % 5), "group": g, "reward": dice.choice([0.0, 0.25, 0.5, 1.0])})
    return rows


def read(model, rows):
    """Log-probabilities and entropies [rows, WIDTH], 0 behind an answer's end."""
    logps, entropies = [], []
    for row in rows:
        ids = torch.tensor([row["prompt_ids"] + row["completion_ids"]])
        n = len(row["completion_ids"])
        logits = model(ids).logits[0, -n - 1:-1]
        all_logps = torch.log_softmax(logits, -1)
        pad = torch.zeros(WIDTH - n, dtype=torch.float64)
        logps.append(torch.cat([all_logps.gather(1, ids[0, -n:, None])[:, 0], pad]))
        entropies.append(torch.cat([-(all_logps.exp() * all_logps).sum(-1), pad]))
    return torch.stack(logps), torch.stack(entropies)


def mask_of(rows):
    return torch.tensor([[1.0 if t < len(r["completion_ids"]) else 0.0 for t in range(WIDTH)] for r in rows], dtype=torch.float64)


def advantages_of(kind, settings, rewards, kl):
    estimator = settings.get("advantage_estimator", "group")
    r = torch.tensor(rewards, dtype=torch.float64)
    if estimator != "group":
        if estimator == "reinforce_baseline":
            r = (r.view(-1, SIZE) - r.view(-1, SIZE).mean(1, keepdim=True)).flatten()
        return (r - r.mean()) / (r.std() + 1e-4)
    module, trainer = (rloo_trainer, RLOOTrainer) if kind is RLOOTrainer else (grpo_trainer, GRPOTrainer)
    case = policy.advantages_case(module, trainer, "# Slice to keep only", {"num_generations": SIZE, "beta": settings.get("beta", 0.0)} if kind is RLOOTrainer else {"num_generations": SIZE},
                                  [[v] for v in rewards], kl if kind is RLOOTrainer else None)
    return torch.tensor(case["advantages"], dtype=torch.float64)


def run(kind, settings):
    torch.manual_seed(0)
    model, start = load(), load()
    every = answers()
    with torch.no_grad():
        old, _ = read(start, every)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    estimated = {k: v for k, v in settings.items() if k in ("advantage_estimator",)}
    trainer_settings = {"loss_type": "rloo" if kind is RLOOTrainer else "dapo", **{k: v for k, v in settings.items() if k not in estimated}, "gradient_accumulation_steps": 2, "steps_per_generation": 2}
    trainer = policy.trainer_of(kind, {k: v for k, v in trainer_settings.items() if not k.startswith(("entropy_", "use_adaptive"))}, None)
    trainer.max_completion_length = WIDTH
    trainer.entropy_coef = settings.get("entropy_coef", 0.0)
    trainer.use_adaptive_entropy = settings.get("use_adaptive_entropy", False)
    trainer._entropy_bonus_enabled = trainer.entropy_coef != 0 or trainer.use_adaptive_entropy
    trainer._last_world_entropy, trainer._entropy_window_stats = float("inf"), None
    for key, value in dict(entropy_target=0.2, entropy_coef_min=0.0, entropy_coef_max=1.0, entropy_coef_delta=0.005).items():
        setattr(trainer.args, key, settings.get(key, value))
    steps = []
    for step in range(STEPS):
        first = step % 2 * 2 * SIZE
        rows = list(range(first, first + 2 * SIZE))
        # RLOO's KL is of the generation, before the step; the reference spoke itself
        advantages = advantages_of(kind, settings, [every[i]["reward"] for i in rows], [0.0] * len(rows))
        tokens = mask_of([every[i] for i in rows]).sum()
        loss = 0.0
        for micro in (rows[:SIZE], rows[SIZE:]):
            trainer.accelerator.sync_gradients = micro[0] != rows[0]
            some = [every[i] for i in micro]
            # TRL compares entropies with their quantile in f32
            trainer._get_per_token_logps_and_entropies = lambda *a, **k: (lambda logps, entropies: (logps, entropies.float(), None))(*read(model, some))
            ids, mask = torch.zeros(SIZE, WIDTH, dtype=torch.long), mask_of(some)
            part = trainer._compute_loss(trainer.model, {
                "prompt_ids": ids, "prompt_mask": ids, "completion_ids": ids, "completion_mask": mask, "advantages": advantages[[i - first for i in micro]],
                "old_per_token_logps": old[micro], "old_logps": (old[micro] * mask).sum(1), "ref_per_token_logps": old[micro], "num_items_in_batch": tokens})
            if kind is RLOOTrainer:
                part = part / 2  # HF's trainer does
            part.backward()
            loss += part.item()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1e9).item()
        optimizer.step()
        optimizer.zero_grad()
        steps.append({"loss": loss, "grad_norm": norm, "advantages": advantages.tolist()})
        if trainer._entropy_bonus_enabled:
            steps[-1]["entropy_coef"] = trainer.entropy_coef
    return {"method": "rloo" if kind is RLOOTrainer else "grpo", "settings": settings, "steps": steps}


def online_dpo(settings):
    """The first two answers of each group; two groups a step."""
    model, start = load(), load()
    every = [r for r in answers()]
    source = inspect.getsource(OnlineDPOTrainer.training_step)
    begin, end = source.index("pi_logratios = "), source.index("loss = losses.mean()")
    lines = textwrap.dedent(source[source.rindex("\n", 0, begin) + 1:end])
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    steps = []
    for step in range(STEPS):
        pairs = [[every[g * SIZE], every[g * SIZE + 1]] for g in ((0, 1) if step % 2 == 0 else (2, 3))]
        better = [(a, b) if a["reward"] >= b["reward"] else (b, a) for a, b in pairs]
        total = lambda m, rows: (read(m, rows)[0] * mask_of(rows)).sum(1)
        chosen, rejected = [c for c, _ in better], [r for _, r in better]
        with torch.no_grad():
            reference = total(start, chosen), total(start, rejected)
        scope = {"F": torch.nn.functional, "self": types.SimpleNamespace(beta=0.1, args=types.SimpleNamespace(loss_type=settings["loss_type"])),
                 "chosen_logprobs_sum": total(model, chosen), "rejected_logprobs_sum": total(model, rejected), "chosen_ref_logprobs_sum": reference[0], "rejected_ref_logprobs_sum": reference[1]}
        exec(lines, scope)
        loss = scope["losses"].mean()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1e9).item()
        optimizer.step()
        optimizer.zero_grad()
        steps.append({"loss": loss.item(), "grad_norm": norm})
    return {"method": "online_dpo", "settings": settings, "steps": steps}


def main():
    every = answers()
    with torch.no_grad():
        old, _ = read(load(), every)
    for i, row in enumerate(every):
        row["logprobs"] = old[i, :len(row["completion_ids"])].tolist()
    runs = {"dapo": run(GRPOTrainer, {}), "grpo, kl": run(GRPOTrainer, {"loss_type": "grpo", "beta": 0.1, "epsilon_high": 0.3, "use_bias_correction_kl": True}),
            "bnpo": run(GRPOTrainer, {"loss_type": "bnpo"}), "dr_grpo": run(GRPOTrainer, {"loss_type": "dr_grpo"}),
            "sequence": run(GRPOTrainer, {"loss_type": "grpo", "importance_sampling_level": "sequence"}), "sapo": run(GRPOTrainer, {"loss_type": "sapo"}),
            "entropy": run(GRPOTrainer, {"entropy_coef": 0.05}), "top entropy": run(GRPOTrainer, {"top_entropy_quantile": 0.5}),
            "entropy, adaptive": run(GRPOTrainer, {"entropy_coef": 0.02, "use_adaptive_entropy": True, "entropy_target": 4.0, "entropy_coef_delta": 0.01}),
            "reinforce": run(GRPOTrainer, {"advantage_estimator": "reinforce"}), "reinforce baseline": run(GRPOTrainer, {"advantage_estimator": "reinforce_baseline"}),
            "rloo": run(RLOOTrainer, {"beta": 0.0}), "online_dpo": online_dpo({"loss_type": "sigmoid"}), "online_dpo, ipo": online_dpo({"loss_type": "ipo"})}
    out = {"versions": {"trl": trl.__version__, "torch": torch.__version__, "transformers": transformers.__version__}, "learning_rate": RATE, "max_completion_length": WIDTH,
           "rollouts": every, "runs": runs}
    (HERE / "online_runs.json").write_text(json.dumps(out) + "\n")
    for name, one in runs.items():
        print(name, [round(s["loss"], 5) for s in one["steps"]], [s.get("entropy_coef") for s in one["steps"]])


if __name__ == "__main__":
    main()
