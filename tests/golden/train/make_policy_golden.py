"""Goldens of the policy losses and advantages, by TRL's own code (README.md): policy.json.

  losses      GRPOTrainer._compute_loss and RLOOTrainer._compute_loss on given log-probabilities:
              loss, slopes by the log-probabilities, metrics
  advantages  the lines of _generate_and_score_completions from rewards to advantages, run as they are

Usage: python make_policy_golden.py   where TRL is installed.
"""
import inspect
import json
import math
import pathlib
import textwrap
import types
from collections import defaultdict

import torch
import trl
from trl import GRPOTrainer, RLOOTrainer
from trl.trainer import grpo_trainer, rloo_trainer

HERE = pathlib.Path(__file__).resolve().parent
LENGTHS = [3, 1, 5, 4, 2, 5, 4, 3]  # completions of two groups of four
COMPLETIONS, WIDTH = len(LENGTHS), 5


class OneProcess:
    num_processes = 1
    process_index = 0
    sync_gradients = True

    def gather(self, x):
        return x

    gather_for_metrics = gather

    def reduce(self, x, reduction="sum"):
        return x

    def pad_across_processes(self, x, dim=0, pad_index=0):
        return x

    def unwrap_model(self, model):
        return model


def numbers(seed, low, high):
    g = torch.Generator().manual_seed(seed)
    return low + (high - low) * torch.rand(COMPLETIONS, WIDTH, generator=g, dtype=torch.float32)


def table():
    mask = torch.zeros(COMPLETIONS, WIDTH)
    for i, n in enumerate(LENGTHS):
        mask[i, :n] = 1
    old = numbers(1, -3.0, -0.1)
    now = old + numbers(2, -0.6, 0.6)
    return {"now": now, "old": old, "reference": now + numbers(3, -0.5, 0.5), "mask": mask,
            "entropy": numbers(4, 0.0, 3.0),
            "advantages": torch.tensor([1.25, -0.5, 0.0, -0.75, 0.9, 0.4, -1.3, 0.0])}


def trainer_of(kind, settings, t):
    self = object.__new__(kind)
    self.accelerator = OneProcess()
    self.model = types.SimpleNamespace(training=True)
    self._metrics = {"train": defaultdict(list)}
    self.aux_loss_enabled = False
    self.use_vllm = False
    self.vllm_importance_sampling_correction = False
    self._entropy_bonus_enabled = False
    self.tools = None
    self.max_completion_length = WIDTH
    defaults = dict(loss_type="dapo", importance_sampling_level="token", epsilon=0.2, epsilon_high=0.2, delta=None,
                    beta=0.0, use_bias_correction_kl=False, off_policy_mask_threshold=None, top_entropy_quantile=1.0,
                    sapo_temperature_pos=1.0, sapo_temperature_neg=1.05, vespo_k_pos=2.0, vespo_lambda_pos=3.0,
                    vespo_k_neg=3.0, vespo_lambda_neg=2.0, steps_per_generation=1)
    args = types.SimpleNamespace(**{**defaults, **settings})
    self.args = args
    for name in ("loss_type", "importance_sampling_level", "beta", "epsilon_high", "off_policy_mask_threshold",
                 "top_entropy_quantile"):
        setattr(self, name, getattr(args, name))
    self.epsilon_low = args.epsilon
    self.current_gradient_accumulation_steps = settings.get("gradient_accumulation_steps", 1)
    return self


def inputs_of(t, rows, num_items):
    ids = torch.zeros(len(rows), WIDTH, dtype=torch.long)
    return {"prompt_ids": ids, "prompt_mask": ids, "completion_ids": ids, "completion_mask": t["mask"][rows],
            "advantages": t["advantages"][rows], "old_per_token_logps": t["old"][rows],
            "old_logps": (t["old"] * t["mask"])[rows].sum(1),
            "ref_per_token_logps": t["reference"][rows], "num_items_in_batch": num_items}


def loss_case(kind, settings):
    """The accumulated loss of all micro-batches, its slopes, the metrics of the whole as one micro-batch."""
    t = table()
    t["now"].requires_grad_(True)
    accumulation = settings.get("gradient_accumulation_steps", 1)
    settings = {**settings, "steps_per_generation": accumulation}
    trainer = trainer_of(kind, settings, t)
    size = COMPLETIONS // accumulation
    total = 0
    for first in range(0, COMPLETIONS, size):
        rows = list(range(first, first + size))
        trainer._get_per_token_logps_and_entropies = lambda *a, **k: (t["now"][rows], t["entropy"][rows], None)
        loss = trainer._compute_loss(trainer.model, inputs_of(t, rows, t["mask"].sum()))
        if kind is RLOOTrainer:
            loss = loss / accumulation  # HF's trainer does
        loss.backward()
        total += loss.item()
    slopes = [t["now"].grad[i, :n].tolist() for i, n in enumerate(LENGTHS)]
    metrics = {} if accumulation > 1 else {k: v[0] for k, v in trainer._metrics["train"].items()}
    return {"settings": settings, "loss": total, "slopes": slopes, "metrics": metrics}


def losses():
    cases = {}
    for loss_type in ("grpo", "bnpo", "dr_grpo", "dapo", "luspo", "cispo", "sapo", "vespo"):
        base = {"loss_type": loss_type}
        if loss_type == "cispo":
            base["epsilon_high"] = 1.3
        variants = {"": {}, "+kl": {"beta": 0.1}, "+kl+bias": {"beta": 0.1, "use_bias_correction_kl": True},
                    "+sequence": {"importance_sampling_level": "sequence"},
                    "+sequence+kl+bias": {"importance_sampling_level": "sequence", "beta": 0.1,
                                          "use_bias_correction_kl": True},
                    "+accumulated": {"gradient_accumulation_steps": 2},
                    "+entropy": {"top_entropy_quantile": 0.3}, "+off_policy": {"off_policy_mask_threshold": 0.02}}
        if loss_type not in ("cispo", "sapo", "vespo"):
            variants["+high"] = {"epsilon_high": 0.5}
            variants["+delta"] = {"delta": 1.4}
        for name, more in variants.items():
            cases[loss_type + name] = loss_case(GRPOTrainer, {**base, **more})
    for name, more in {"": {}, "+high": {"epsilon_high": 0.5}, "+accumulated": {"gradient_accumulation_steps": 2}}.items():
        cases["rloo" + name] = loss_case(RLOOTrainer, {"loss_type": "rloo", **more})
    return cases


def lines_between(kind, begin, end):
    source = inspect.getsource(kind._generate_and_score_completions)
    first = source.index(begin)
    first = source.rindex("\n", 0, first) + 1
    return textwrap.dedent(source[first:source.index(end)])


def advantages_case(module, kind, end, settings, rewards, kl=None):
    code = lines_between(kind, "unscorable_mask = ", end)
    defaults = dict(scale_rewards="group", multi_objective_aggregation="sum_then_normalize", beta=0.0,
                    reward_clip_range=None, normalize_advantages=False)
    self = types.SimpleNamespace(**{**defaults, **settings})
    values = torch.tensor([[math.nan if v is None else v for v in row] for row in rewards], dtype=torch.float64)
    self.reward_weights = torch.tensor(settings.get("reward_weights", [1.0] * values.shape[1]), dtype=torch.float64)
    self.reward_funcs = [None] * values.shape[1]
    size = settings["num_generations"]
    scope = {**vars(module), "self": self, "rewards_per_func": values, "num_generations": size, "device": "cpu",
             "gather": lambda x: x}
    if kl is not None:
        scope["old_per_token_logps"] = torch.tensor(kl, dtype=torch.float64).unsqueeze(1)
        scope["ref_per_token_logps"] = torch.zeros_like(scope["old_per_token_logps"])
        scope["completion_mask"] = torch.ones_like(scope["old_per_token_logps"])
    exec(code, scope)
    out = {"settings": settings, "rewards": rewards, "advantages": scope["advantages"].tolist()}
    if kl is not None:
        out["kl"] = kl
    return out


def advantages():
    two = [[1.0, 0.2], [0.0, 0.1], [0.5, None], [None, None], [0.3, 0.9], [0.3, 0.4], [0.3, 0.7], [0.1, 0.0]]
    one = [[1.0], [0.0], [1.0], [0.25], [0.5], [0.5], [0.5], [0.5]]
    cases = {}
    for rewards, name in ((one, "one"), (two, "two")):
        for scale in ("group", "batch", "none"):
            cases[f"grpo {name} {scale}"] = advantages_case(
                grpo_trainer, GRPOTrainer, "# Slice to keep only", {"scale_rewards": scale, "num_generations": 4}, rewards)
        cases[f"grpo {name} gdpo"] = advantages_case(
            grpo_trainer, GRPOTrainer, "# Slice to keep only",
            {"multi_objective_aggregation": "normalize_then_sum", "num_generations": 4}, rewards)
    cases["grpo two weights"] = advantages_case(grpo_trainer, GRPOTrainer, "# Slice to keep only",
                                                {"reward_weights": [0.5, -2.0], "num_generations": 4}, two)
    kl = [0.3, -0.2, 0.1, 0.0, 0.5, 0.25, -0.1, 0.05]
    for name, settings in {"": {}, "+kl": {"beta": 0.05}, "+clip": {"reward_clip_range": [0.1, 0.8]},
                           "+normalized": {"normalize_advantages": True}}.items():
        cases["rloo" + name] = advantages_case(rloo_trainer, RLOOTrainer, "# Slice to keep only",
                                               {"num_generations": 4, **settings}, two, kl)
    return cases


def main():
    t = table()
    rows = {k: [t[k][i, :n].tolist() for i, n in enumerate(LENGTHS)] for k in ("now", "old", "reference", "entropy")}
    rows["advantages"] = t["advantages"].tolist()
    out = {"versions": {"trl": trl.__version__, "torch": torch.__version__}, "width": WIDTH, "table": rows,
           "losses": losses(), "advantages": advantages()}
    (HERE / "policy.json").write_text(json.dumps(out) + "\n")


if __name__ == "__main__":
    main()
