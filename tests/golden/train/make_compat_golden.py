"""Goldens of --compat, by the peers' own functions (README.md): compat.json.

The functions are taken out of the peers' sources by name and run as they stand, on given numbers; slopes by autograd, in f64 where the
peer does not itself go to f32. OpenRLHF and verl need GPUs to be installed whole, so nothing else of them is loaded.

Usage: python make_compat_golden.py OPENRLHF VERL LLAMA_FACTORY   three checkouts; where torch and transformers are installed.
"""
import __future__
import ast
import collections
import itertools
import json
import pathlib
import subprocess
import sys
import types
import typing

import torch
import torch.nn as nn
import torch.nn.functional as F
import transformers

HERE = pathlib.Path(__file__).resolve().parent
OPENRLHF, VERL, LF = (pathlib.Path(p) for p in sys.argv[1:4])
torch.set_default_dtype(torch.float64)


def take(path, names, scope=None):
    """Those functions, methods and classes of the file, in a scope of their own."""
    scope = {"torch": torch, "nn": nn, "F": F, "itertools": itertools, "defaultdict": collections.defaultdict, "Optional": typing.Optional, **(scope or {})}
    found = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
             if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name in names]
    for node in found:
        node.decorator_list = []
        code = compile(ast.Module(body=[node], type_ignores=[]), str(path), "exec", flags=__future__.annotations.compiler_flag)
        exec(code, scope)
    missing = [name for name in names if name not in scope]
    assert not missing, (path, missing)
    return types.SimpleNamespace(**{name: scope[name] for name in names}), scope


def openrlhf():
    utils, scope = take(OPENRLHF / "openrlhf/models/utils.py", ["compute_approx_kl", "compute_reward", "masked_mean"])
    loss, _ = take(OPENRLHF / "openrlhf/models/loss.py", ["aggregate_loss", "PolicyLoss", "ValueLoss", "DPOLoss"], {"masked_mean": utils.masked_mean})
    maker, _ = take(OPENRLHF / "openrlhf/trainer/ppo_utils/experience_maker.py", ["compute_advantages_and_returns", "get_advantages_and_returns", "get_cumulative_returns"],
                    {"apply_length_penalties": lambda *_: None, "compute_reward": utils.compute_reward})
    dpo, _ = take(OPENRLHF / "openrlhf/trainer/dpo_trainer.py", ["_get_batch_logps"])
    return types.SimpleNamespace(**vars(utils), **vars(loss), **vars(maker), get_batch_logps=dpo._get_batch_logps)


def verl():
    functional, _ = take(VERL / "verl/utils/torch_functional.py", ["masked_sum", "masked_mean", "masked_var", "masked_whiten", "clip_by_value"])
    core, _ = take(VERL / "verl/trainer/ppo/core_algos.py",
                   ["agg_loss", "compute_gae_advantage_return", "compute_grpo_outcome_advantage", "compute_rloo_outcome_advantage", "compute_reinforce_plus_plus_outcome_advantage",
                    "compute_reinforce_plus_plus_baseline_outcome_advantage", "compute_policy_loss_vanilla", "compute_value_loss", "kl_penalty_forward"],
                   {"verl_F": functional, "AlgoConfig": type("AlgoConfig", (), {}), "Any": typing.Any})
    return core


def lists(x, lengths):
    return [x[i, :n].tolist() for i, n in enumerate(lengths)]


class Table:
    """Eight answers to two prompts; of the first two answers some tokens are far away."""
    lengths = [3, 1, 5, 4, 2, 5, 4, 3]

    def __init__(self, far):
        g = torch.Generator().manual_seed(11)
        draw = lambda low, high: (low + (high - low) * torch.rand(8, 5, generator=g)).float().double()  # as f32, which ours are
        self.mask = torch.tensor([[1.0 if t < n else 0.0 for t in range(5)] for n in self.lengths])
        self.old = draw(-3.0, -0.1)
        self.now = (self.old + draw(-0.6, 0.6)).float().double()
        self.reference = (self.now + draw(-0.5, 0.5)).float().double()
        self.advantages = torch.tensor([1.25, -0.5, 0.0, -0.75, 0.9, 0.4, -1.3, 0.25])
        if far:  # ratios beyond any bound, and a KL estimate beyond 10
            self.old[0, 1], self.now[0, 1] = -24.0, -2.0
            self.old[0, 2], self.now[0, 2] = -1.0, -23.5
            self.old[6, 0], self.now[6, 0] = -3.5, -1.25
            self.reference[3, 2] = self.now[3, 2] - 14.0
            self.reference[4, 1] = self.now[4, 1] + 4.0

    def record(self):
        return {"now": lists(self.now, self.lengths), "old": lists(self.old, self.lengths), "reference": lists(self.reference, self.lengths), "advantages": self.advantages.tolist()}


def policies(o, v):
    cases = []
    for far in (False, True):
        for peer in ("openrlhf", "verl"):
            for loss_type, level, beta in (("dapo", "token", 0.0), ("dapo", "token", 0.1), ("grpo", "token", 0.0), ("grpo", "token", 0.1), ("grpo", "sequence", 0.0)):
                if level == "sequence" and (peer == "verl" or far):
                    continue
                t = Table(far)
                now = t.now.clone().requires_grad_(True)
                advantages = t.advantages[:, None].expand(8, 5)
                if peer == "openrlhf":
                    token = loss_type == "dapo"
                    loss = o.PolicyLoss(0.2, 0.28, None, token, "gspo" if level == "sequence" else "ppo")(now, t.old, advantages, t.mask)[0]
                    kl = o.aggregate_loss(o.compute_approx_kl(now, t.reference, "k3"), t.mask, token)
                else:
                    config = types.SimpleNamespace(clip_ratio=0.2, clip_ratio_low=0.2, clip_ratio_high=0.28, get=lambda _, otherwise: otherwise, global_batch_info={})
                    mode = {"dapo": "token-mean", "grpo": "seq-mean-token-mean"}[loss_type]
                    loss = v.compute_policy_loss_vanilla(t.old, now, advantages, t.mask, mode, config)[0]
                    kl = v.agg_loss(v.kl_penalty_forward(now, t.reference, "k3"), t.mask, mode)
                loss = loss + beta * kl if beta else loss
                loss.backward()
                cases.append({"peer": peer, "settings": {"loss_type": loss_type, "importance_sampling_level": level, "beta": beta, "epsilon_high": 0.28}, "table": t.record(),
                              "loss": loss.item(), "slopes": lists(now.grad, t.lengths)})
    return cases


def experiences(o, estimator, rewards, lengths, kl=None, values=None, kl_coef=0.0):
    """OpenRLHF's own method over one batch: advantages and returns of every token, shaped rewards."""
    width = max(lengths)
    mask = torch.tensor([[1.0 if t < n else 0.0 for t in range(width)] for n in lengths])
    one = types.SimpleNamespace(index=list(range(len(lengths))), rewards=torch.tensor(rewards), action_mask=mask, info={}, kl=torch.zeros_like(mask) if kl is None else kl, values=values)
    args = types.SimpleNamespace(rollout=types.SimpleNamespace(n_samples_per_prompt=4), reward=types.SimpleNamespace(clip_range=None),
                                 algo=types.SimpleNamespace(advantage=types.SimpleNamespace(estimator=estimator, gamma=1.0, lambd=0.95, no_std_norm=False)))
    self = types.SimpleNamespace(strategy=types.SimpleNamespace(args=args), advantage_estimator=estimator, kl_ctl=types.SimpleNamespace(value=kl_coef))
    self.get_advantages_and_returns = lambda *a: o.get_advantages_and_returns(self, *a)
    self.get_cumulative_returns = lambda *a: o.get_cumulative_returns(self, *a)
    o.compute_advantages_and_returns(self, [one])
    return one.advantages, one.returns, mask


def advantages(o, v):
    rewards, lengths = [0.0, 1.0, 0.25, 1.0, 0.5, 0.5, 0.75, 0.0], Table.lengths
    mask = Table(False).mask
    token = torch.zeros(8, 5)
    for i, n in enumerate(lengths):
        token[i, n - 1] = rewards[i]
    groups = [0, 0, 0, 0, 1, 1, 1, 1]
    config = types.SimpleNamespace(gamma=1.0)
    cases = []
    for ours, theirs, name in (("group", "group_norm", "group"), ("reinforce", "reinforce", "reinforce"), ("reinforce_baseline", "reinforce_baseline", "reinforce_baseline"), ("rloo", "rloo", "rloo")):
        got, _, _ = experiences(o, theirs, rewards, lengths)
        cases.append({"peer": "openrlhf", "estimator": ours, "advantages": got[:, 0].tolist()})
    for ours, function in (("group", v.compute_grpo_outcome_advantage), ("reinforce_baseline", v.compute_reinforce_plus_plus_baseline_outcome_advantage), ("rloo", v.compute_rloo_outcome_advantage)):
        cases.append({"peer": "verl", "estimator": ours, "advantages": function(token.clone(), mask, groups)[0][:, 0].tolist()})
    got = v.compute_reinforce_plus_plus_outcome_advantage(token.clone(), mask, config)[0]
    cases.append({"peer": "verl", "estimator": "reinforce", "advantages": got[:, 0].tolist()})
    return {"rewards": rewards, "tokens": lengths, "cases": cases}


def ppo(o, v):
    cases = []
    for far in (False, True):
        t = Table(far)
        g = torch.Generator().manual_seed(12)
        draw = lambda scale: scale * torch.randn(8, 5, generator=g)
        values, scores = draw(0.5) * t.mask, torch.tensor([1.0, -0.5, 0.25, 2.0, 0.0, -1.0, 0.75, 0.5])
        new_values = (values + draw(0.4)) * t.mask
        for peer in ("openrlhf", "verl"):
            for estimator in ("k1", "k3"):
                coef = 0.3
                if peer == "openrlhf":
                    kl = o.compute_approx_kl(t.old, t.reference, estimator).double()
                    adv, returns, _ = experiences(o, "gae", scores.tolist(), t.lengths, kl, values, coef)
                    policy = lambda now, a: o.PolicyLoss(0.2, 0.2, None, True)(now, t.old, a, t.mask)[0]
                    value = lambda new: o.ValueLoss(0.2, True)(new, values, returns, t.mask)
                else:
                    kl = v.kl_penalty_forward(t.old, t.reference, estimator)
                    token = torch.zeros(8, 5)
                    for i, n in enumerate(t.lengths):
                        token[i, n - 1] = scores[i]
                    adv, returns = v.compute_gae_advantage_return(token - coef * kl * t.mask, values, t.mask, 1.0, 0.95)
                    config = types.SimpleNamespace(clip_ratio=0.2, clip_ratio_low=None, clip_ratio_high=None, get=lambda _, otherwise: otherwise, global_batch_info={})
                    policy = lambda now, a: v.compute_policy_loss_vanilla(t.old, now, a, t.mask, "token-mean", config)[0]
                    value = lambda new: v.compute_value_loss(new, returns, values, t.mask, 0.2)[0]
                now, new = t.now.clone().requires_grad_(True), new_values.clone().requires_grad_(True)
                policy_loss, value_loss = policy(now, adv), value(new)
                (policy_loss + value_loss).backward()
                cut = lambda x: lists(x, t.lengths)
                cases.append({"peer": peer, "kl_estimator": estimator, "kl_coef": coef, "scores": scores.tolist(), "log_probs": cut(t.old), "ref_log_probs": cut(t.reference), "values": cut(values),
                              "new_log_probs": cut(t.now), "new_values": cut(new_values), "kl": cut(kl), "advantages": cut(adv), "returns": cut(returns),
                              "policy_loss": policy_loss.item(), "value_loss": value_loss.item(), "d_log_probs": cut(now.grad), "d_values": cut(new.grad)})
    return cases


def dpo(o):
    """Four pairs; per-token log-probabilities, so that means and sums differ."""
    g = torch.Generator().manual_seed(13)
    lengths = [3, 1, 5, 4], [2, 6, 1, 5]
    rows = lambda lengths: [(-3 * torch.rand(n, generator=g)).tolist() for n in lengths]
    table = {"chosen": rows(lengths[0]), "rejected": rows(lengths[1]), "ref_chosen": rows(lengths[0]), "ref_rejected": rows(lengths[1])}
    trainer, _ = take(LF / "src/llamafactory/train/dpo/trainer.py", ["compute_preference_loss", "odds_ratio_loss"])
    cases = []
    for peer, ipo, smoothing, nll in (("openrlhf", True, 0.0, 0.0), ("openrlhf", False, 0.1, 0.0), ("openrlhf", True, 0.0, 0.5), ("openrlhf", False, 0.0, 0.5)):
        leaf = {key: [torch.tensor(row, requires_grad=True) for row in table[key]] for key in ("chosen", "rejected")}
        total = lambda key: torch.stack([torch.as_tensor(row).sum() for row in leaf.get(key, table[key])])
        loss = o.DPOLoss(0.1, smoothing, ipo)(total("chosen"), total("rejected"), total("ref_chosen"), total("ref_rejected"))[0]
        if nll:  # the two means of the batch as its own function makes them
            width = 1 + max(lengths[0])
            padded = torch.stack([F.pad(row, (0, width - 1 - len(row))) for row in leaf["chosen"]])
            mask = torch.tensor([[1] * (1 + n) + [0] * (width - 1 - n) for n in lengths[0]])
            loss = loss - nll * o.get_batch_logps(None, padded, mask, [1] * 4)[1].mean()
        loss.backward()
        cases.append({"peer": peer, "loss_type": ["ipo" if ipo else "sigmoid"] + (["sft"] if nll else []), "loss_weights": [1.0] + ([nll] if nll else []), "label_smoothing": smoothing, "loss": loss.item(),
                      "d_chosen": [row.grad.tolist() for row in leaf["chosen"]], "d_rejected": [row.grad.tolist() for row in leaf["rejected"]]})
    return {**table, "beta": 0.1, "cases": cases}


def orpo():
    """LLaMA-Factory's ORPO on the pairs of unreferenced.json with llama_tied, and its weighing of long answers."""
    utils, _ = take(LF / "src/llamafactory/train/trainer_utils.py", ["get_batch_logps"], {"IGNORE_INDEX": -100})
    trainer, _ = take(LF / "src/llamafactory/train/dpo/trainer.py", ["odds_ratio_loss"])
    pairs = json.loads((HERE / "unreferenced.json").read_text())["pairs"]
    model = transformers.AutoModelForCausalLM.from_pretrained(HERE.parent / "torch" / "llama_tied", dtype=torch.float64)
    width = max(len(p["prompt_ids"]) + len(p[k]) for p in pairs for k in ("chosen_ids", "rejected_ids"))
    ids, labels, mask = [], [], []
    for side in ("chosen_ids", "rejected_ids"):
        for p in pairs:
            row, n = p["prompt_ids"] + p[side], len(p["prompt_ids"])
            ids.append(row + [0] * (width - len(row)))
            labels.append([-100] * n + p[side] + [-100] * (width - len(row)))
            mask.append([1] * len(row) + [0] * (width - len(row)))
    logits = model(input_ids=torch.tensor(ids), attention_mask=torch.tensor(mask)).logits
    sums, counts = utils.get_batch_logps(logits, torch.tensor(labels))
    chosen, rejected = (sums / counts).split(len(pairs))
    loss = trainer.odds_ratio_loss(types.SimpleNamespace(beta=0.1), chosen, rejected).mean()
    loss.backward()
    weighed = utils.get_batch_logps(logits.detach(), torch.tensor(labels), ld_alpha=0.5)[0]
    return {"beta": 0.1, "loss": loss.item(), "nll_loss": -chosen.mean().item(), "gradient_norms": {name: p.grad.norm().item() for name, p in model.named_parameters()},
            "ld_alpha": 0.5, "ld_policy": weighed.tolist(), "ld_reference": sums.detach().tolist()}


def commit(path):
    # of a checkout, or of an export of one
    named = path / "COMMIT"
    return named.read_text().strip() if named.exists() else subprocess.run(["git", "-C", str(path), "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()


def main():
    o, v = openrlhf(), verl()
    out = {"versions": {"torch": torch.__version__, "OpenRLHF": commit(OPENRLHF), "verl": commit(VERL), "LLaMA-Factory": commit(LF)},
           "policy": policies(o, v), "advantages": advantages(o, v), "ppo": ppo(o, v), "dpo": dpo(o), "orpo": orpo()}
    (HERE / "compat.json").write_text(json.dumps(out) + "\n")
    print({key: len(value) for key, value in out.items()}, out["orpo"]["loss"])


if __name__ == "__main__":
    main()
