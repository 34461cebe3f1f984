"""PPO between rollout and gradient, by TRL's own lines: the blocks of PPOTrainer.train that shape rewards, estimate advantages and compute the loss are cut out of the
source and run on tables. TRL removed PPO after 1.10: give its wheel (pip download --no-deps trl==1.10.0). Run: python ppo_golden.py trl-1.10.0-py3-none-any.whl"""
import ast
import sys
import textwrap
import types
import zipfile

import torch

from common import hashed, number, numbers, versions, write_json
from make_golden import HERE

WIDTH = 7
LENGTHS = [7, 3, 1, 5, 7]  # tokens; 7 fills the width: no slot behind the last token
CASES = {
    "plain": dict(), "k3": dict(kl_estimator="k3"), "whitened": dict(whiten_rewards=True, kl_estimator="k3"), "discounted": dict(gamma=0.9, lam=0.8, kl_coef=0.3),
    "all": dict(whiten_rewards=True, gamma=0.97, lam=0.9, kl_coef=0.2, kl_estimator="k3"),
}


def source(wheel):
    with zipfile.ZipFile(wheel) as z:
        return z.read("trl/experimental/ppo/ppo_trainer.py").decode()


def block(text, first, last):
    """The lines from the one that holds `first` to the one that holds `last`."""
    lines = text.splitlines()
    begin = next(i for i, line in enumerate(lines) if first in line)
    end = next(i for i in range(begin, len(lines)) if last in lines[i])
    return textwrap.dedent("\n".join(lines[begin:end + 1]))


def helpers(text):
    scope = {"torch": torch}
    wanted = {"masked_mean", "masked_var", "masked_whiten"}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and node.name in wanted:
            exec(compile(ast.Module([node], []), "trl", "exec"), scope)
    return {name: scope[name] for name in wanted}


def table(name, scale):
    return torch.from_numpy(hashed(f"ppo/{name}", (len(LENGTHS), WIDTH))).double() * scale


def one_case(text, options):
    args = types.SimpleNamespace(**{**dict(kl_coef=0.05, kl_estimator="k1", whiten_rewards=False, gamma=1.0, lam=0.95, cliprange=0.2, cliprange_value=0.2, vf_coef=0.1), **options})
    index = torch.arange(WIDTH).repeat(len(LENGTHS), 1)
    last = torch.tensor(LENGTHS) - 1
    padding_mask = index > last[:, None]
    padding_mask_p1 = index > last[:, None] + 1
    logprobs = torch.masked_fill(table("logprobs", 1.5) - 2, padding_mask, 1.0)
    ref_logprobs = torch.masked_fill(table("ref", 1.5) - 2, padding_mask, 1.0)
    values = torch.masked_fill(table("values", 1.0), padding_mask_p1, 0)
    scores = torch.from_numpy(hashed("ppo/scores", (len(LENGTHS),))).double() * 2
    scope = {**helpers(text), "torch": torch, "args": args, "logprobs": logprobs, "ref_logprobs": ref_logprobs, "values": values, "scores": scores, "padding_mask": padding_mask,
             "padding_mask_p1": padding_mask_p1, "sequence_lengths": last, "sequence_lengths_p1": last + 1, "responses": torch.zeros(len(LENGTHS), WIDTH), "empty_cache": lambda: None}
    exec(block(text, "# 4. compute rewards", "advantages = torch.masked_fill(advantages, padding_mask, 0)"), scope)
    # The loss of the whole batch, at log-probabilities and values that moved; some leave the ranges.
    new_logprobs = (logprobs + torch.masked_fill(table("moved", 0.6), padding_mask, 0)).requires_grad_()
    vpred = (values + torch.masked_fill(table("vmoved", 0.6), padding_mask_p1, 0)).requires_grad_()
    everyone = list(range(len(LENGTHS)))
    loss_scope = {**scope, "new_logprobs": new_logprobs, "vpred": vpred, "mb_values": values, "mb_return": scope["returns"], "mb_advantage": scope["advantages"], "mb_logprobs": logprobs,
                  "micro_batch_inds": everyone}
    exec(block(text, "vpredclipped = torch.clamp(", "loss = pg_loss + args.vf_coef * vf_loss"), loss_scope)
    exec(block(text, "pg_clipfrac = masked_mean(", "padding_mask[micro_batch_inds]") + "\n)", loss_scope)
    d_logprobs, d_values = torch.autograd.grad(loss_scope["loss"], [new_logprobs, vpred])

    def rows(t, mask):
        return [numbers(t[i][~mask[i]].detach()) for i in everyone]
    return {**options, "log_probs": rows(logprobs, padding_mask), "ref_log_probs": rows(ref_logprobs, padding_mask), "values": rows(values, padding_mask_p1), "scores": numbers(scores),
            "kl": rows(scope["kl"], padding_mask), "rewards": rows(scope["rewards"], padding_mask_p1), "advantages": rows(scope["advantages"], padding_mask),
            "returns": rows(scope["returns"], padding_mask_p1), "new_log_probs": rows(new_logprobs, padding_mask), "new_values": rows(vpred, padding_mask_p1),
            "policy_loss": number(loss_scope["pg_loss"]), "value_loss": number(loss_scope["vf_loss"]), "loss": number(loss_scope["loss"]),
            "policy_clipfrac": number(loss_scope["pg_clipfrac"]), "value_clipfrac": number(loss_scope["vf_clipfrac"]), "d_log_probs": rows(d_logprobs, padding_mask),
            "d_values": rows(d_values, padding_mask_p1)}


if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)  # integers over integers too
    wheel_path = sys.argv[1]
    code = source(wheel_path)
    record = {"versions": {**versions(), "trl": wheel_path.rsplit("/", 1)[-1].split("-")[1]}, "vf_coef": 0.1, "cliprange": 0.2, "cliprange_value": 0.2, "cases": {}}
    for case_name, case_options in CASES.items():
        record["cases"][case_name] = one_case(code, case_options)
    write_json(HERE / "ppo.json", record)
    print({n: (c["loss"], c["policy_clipfrac"], c["value_clipfrac"]) for n, c in record["cases"].items()})
