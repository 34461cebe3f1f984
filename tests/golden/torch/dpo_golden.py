"""DPO losses on a table of summed log-probabilities, computed by TRL's own DPOTrainer._compute_loss.

The trainer runs with a stand-in model that returns given per-token log-probabilities, so TRL's formulas are called, not copied. Each value is
also derived here from the published formula (`formula`) and both must agree to 1e-12; where TRL has no such option (label smoothing of sigmoid,
which TRL removed in 2026) only the formula speaks, and the record says so.
"""
import math
import pathlib
import types
from collections import defaultdict

import torch
import torch.nn.functional as F

from common import number, numbers, versions, write_json

HERE = pathlib.Path(__file__).resolve().parent
COLUMNS = ["logp_chosen", "logp_rejected", "ref_logp_chosen", "ref_logp_rejected", "length_chosen", "length_rejected"]
TABLE = [
    (-12.5, -14.25, -13.0, -13.5, 7, 9),
    (-40.0, -31.5, -38.25, -33.0, 21, 12),
    (-3.125, -3.125, -3.125, -3.125, 2, 2),
    (-85.0, -140.0, -97.5, -118.0, 50, 64),
    (-66.0, -20.0, -41.0, -28.5, 30, 11),
    (-0.75, -9.5, -1.5, -4.0, 1, 5),
    (-210.0, -205.5, -208.0, -212.25, 96, 90),
    (-18.0, -22.0, -18.5, -21.0, 10, 10),
]
CASES = [
    dict(name="sigmoid", loss_type=["sigmoid"], beta=0.1), dict(name="sigmoid_smoothed", loss_type=["sigmoid"], beta=0.1, label_smoothing=0.1),
    dict(name="hinge", loss_type=["hinge"], beta=0.1), dict(name="ipo", loss_type=["ipo"], beta=0.1), dict(name="robust", loss_type=["robust"], beta=0.1, label_smoothing=0.1),
    dict(name="robust_unsmoothed", loss_type=["robust"], beta=0.1), dict(name="sppo_hard", loss_type=["sppo_hard"], beta=0.1),
    dict(name="apo_zero", loss_type=["apo_zero"], beta=0.1), dict(name="apo_down", loss_type=["apo_down"], beta=0.1),
    dict(name="exo_pair", loss_type=["exo_pair"], beta=0.1, label_smoothing=0.1), dict(name="nca_pair", loss_type=["nca_pair"], beta=0.1),
    dict(name="bco_pair", loss_type=["bco_pair"], beta=0.1), dict(name="discopop", loss_type=["discopop"], beta=0.05),
    dict(name="sigmoid_norm", loss_type=["sigmoid_norm"], beta=2.0), dict(name="sft", loss_type=["sft"], beta=0.1),
    dict(name="sigmoid_and_sft", loss_type=["sigmoid", "sft"], beta=0.1, loss_weights=[1.0, 0.5]),
    dict(name="sigmoid_bco_pair_sft", loss_type=["sigmoid", "bco_pair", "sft"], beta=0.3, loss_weights=[0.8, 0.2, 1.0]),
]


def formula(kind, t, beta, smoothing, tau=0.05):
    """Loss of each pair; `sft` gives shares that average to the token mean of the whole batch."""
    a_c, a_r = t["lc"] - t["rc"], t["lr"] - t["rr"]
    x = beta * (a_c - a_r)
    ls, s = F.logsigmoid, torch.sigmoid
    if kind == "sigmoid":
        return -(1 - smoothing) * ls(x) - smoothing * ls(-x)
    if kind == "hinge":
        return torch.clamp(1 - x, min=0)
    if kind == "ipo":
        return (a_c / t["nc"] - a_r / t["nr"] - 1 / (2 * beta)) ** 2
    if kind == "robust":
        return (-(1 - smoothing) * ls(x) + smoothing * ls(-x)) / (1 - 2 * smoothing)
    if kind == "sppo_hard":
        return (a_c - 0.5 / beta) ** 2 + (a_r + 0.5 / beta) ** 2
    if kind == "apo_zero":
        return 1 - s(beta * a_c) + s(beta * a_r)
    if kind == "apo_down":
        return s(beta * a_c) + 1 - s(x)
    if kind == "exo_pair":
        return s(x) * (ls(x) - math.log1p(-smoothing)) + s(-x) * (ls(-x) - math.log(smoothing))
    if kind == "nca_pair":
        return -ls(beta * a_c) - 0.5 * ls(-beta * a_c) - 0.5 * ls(-beta * a_r)
    if kind == "bco_pair":
        return -ls(beta * a_c) - ls(-beta * a_r)
    if kind == "discopop":
        g = s(x / tau)
        return -(1 - g) * ls(x) + g * torch.exp(-x)
    if kind == "sigmoid_norm":
        return -ls(beta * (a_c / t["nc"] - a_r / t["nr"]))
    if kind == "sft":
        return -t["lc"] * len(t["lc"]) / t["nc"].sum()
    raise ValueError(kind)


def columns():
    t = {k: torch.tensor([float(row[i]) for row in TABLE], dtype=torch.float64) for i, k in enumerate(["lc", "lr", "rc", "rr", "nc", "nr"])}
    t["lc"].requires_grad_()
    t["lr"].requires_grad_()
    return t


def trl_loss(case, t):
    """TRL's loss. A prompt of one token, then the completion; each token carries an equal share of the sum."""
    from trl import DPOTrainer
    longest = int(max(t["nc"].max(), t["nr"].max()))
    lengths = torch.cat([t["nc"], t["nr"]]).long()
    shift_mask = (torch.arange(longest)[None, :] < lengths[:, None]).long()
    mask = torch.cat([torch.zeros(len(lengths), 1, dtype=torch.long), shift_mask], 1)
    logps = torch.cat([t["lc"], t["lr"]])[:, None] / lengths[:, None] * shift_mask
    zeros = torch.zeros_like(logps)
    outputs = types.SimpleNamespace(log_probs=logps, entropy=zeros, mean_logits=zeros, is_top1=zeros.bool(), log_sum_sq_probs=zeros, loss=None)

    class Model:
        training = True

        def __call__(self, **_):
            return outputs

    trainer = types.SimpleNamespace(
        model=Model(), accelerator=types.SimpleNamespace(device="cpu", gather_for_metrics=lambda v: v, gather=lambda v: v), aux_loss_enabled=False, ld_alpha=None, precompute_ref_logps=True,
        f_divergence_type="reverse_kl", f_alpha_divergence_coef=0.5, loss_types=case["loss_type"], loss_weights=case.get("loss_weights", [1.0] * len(case["loss_type"])), beta=case["beta"],
        label_smoothing=case.get("label_smoothing", 0.0), use_weighting=False, args=types.SimpleNamespace(discopop_tau=0.05), _metrics={"train": defaultdict(list)}, _total_train_tokens=0, _tp_size=1)
    inputs = {"input_ids": torch.zeros_like(mask), "attention_mask": torch.ones_like(mask), "completion_mask": mask, "ref_chosen_logps": t["rc"], "ref_rejected_logps": t["rr"]}
    loss = DPOTrainer._compute_loss(trainer, trainer.model, inputs, False)
    return loss, {k: v[0] for k, v in trainer._metrics["train"].items() if k.startswith("rewards/")}


def one_case(case):
    smoothing = case.get("label_smoothing", 0.0)
    weights = case.get("loss_weights", [1.0] * len(case["loss_type"]))
    t = columns()
    per_pair = sum(w * formula(kind, t, case["beta"], smoothing) for kind, w in zip(case["loss_type"], weights))
    loss = per_pair.mean()
    g_c, g_r = torch.autograd.grad(loss, [t["lc"], t["lr"]], allow_unused=True, materialize_grads=True)
    record = {k: v for k, v in case.items() if k != "name"}
    if case["loss_type"] == ["sigmoid"] and smoothing:
        record["from"] = "formula only: TRL removed this option"
    else:
        theirs = columns()
        trl, metrics = trl_loss(case, theirs)
        h_c, h_r = torch.autograd.grad(trl, [theirs["lc"], theirs["lr"]], allow_unused=True, materialize_grads=True)
        # exo_pair's label smoothing is a float32 tensor in TRL
        limit = 1e-7 if "exo_pair" in case["loss_type"] else 1e-12
        for ours, other in [(loss, trl), (g_c, h_c), (g_r, h_r)]:
            assert ((ours - other).abs() / (1 + ours.abs())).max() < limit, (case, ours, other)
        record["from"] = "TRL's code and formula agree"
    record["loss"] = number(loss)
    if "sft" not in case["loss_type"]:
        record["per_pair"] = numbers(per_pair.detach())
    return {**record, "grad_logp_chosen": numbers(g_c), "grad_logp_rejected": numbers(g_r)}


def make_losses():
    t = columns()
    beta = 0.1
    chosen, rejected = beta * (t["lc"] - t["rc"]).detach(), beta * (t["lr"] - t["rr"]).detach()
    _, metrics = trl_loss(dict(loss_type=["sigmoid"], beta=beta), t)
    rewards = {"beta": beta, "chosen": numbers(chosen), "rejected": numbers(rejected), "margins": numbers(chosen - rejected), "mean": {k: number(v, 7) for k, v in metrics.items()}}
    for key, value in [("rewards/chosen", chosen), ("rewards/rejected", rejected), ("rewards/margins", chosen - rejected)]:
        assert abs(metrics[key] - float(value.mean())) < 1e-6, key
    write_json(HERE / "dpo_losses.json", {"versions": versions(), "columns": COLUMNS, "table": [list(row) for row in TABLE], "rewards": rewards, "cases": {c["name"]: one_case(c) for c in CASES}})
    print("dpo_losses.json:", len(CASES), "cases")
