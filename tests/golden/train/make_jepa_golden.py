"""LLM-JEPA (arXiv 2509.14252) in float64 on tests/golden/torch/llama_tied, by this script's own words: jepa.json (README.md).

Each row is one sequence for the next token, and one of [first view, predictors | second view] under a block mask, positions going on, as in the paper's
one-pass form. Predictor tokens enter as embeddings. Usage: python make_jepa_golden.py (torch, transformers; common.py wants peft and trl for their versions).
"""
import pathlib
import sys

import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "torch"))
from common import fixed_tokens, hashed, number, numbers, versions, write_json  # noqa: E402
from f64 import true_f64  # noqa: E402
from make_golden import VOCAB, load_f64  # noqa: E402

LENGTHS = [(6, 4), (3, 9), (11, 2), (1, 5), (8, 8)]
MICRO_BATCH = 3
GAMMA, LAMBDA, TEMPERATURE = 0.75, 1.5, 0.07


def block_mask(a, b):
    allowed = torch.zeros(a + b, a + b, dtype=torch.bool)
    allowed[:a, :a] = torch.ones(a, a).tril().bool()
    allowed[a:, a:] = torch.ones(b, b).tril().bool()
    return torch.zeros(a + b, a + b, dtype=torch.float64).masked_fill(~allowed, float("-inf"))[None, None]


def states(model, predictors, prompt, completion):
    """Final norm's output at the end of each view."""
    embed = model.get_input_embeddings()
    x = torch.cat([embed(torch.tensor(prompt)), predictors, embed(torch.tensor(completion))])[None]
    a, b = len(prompt) + len(predictors), len(completion)
    out = model.model(inputs_embeds=x, attention_mask=block_mask(a, b), position_ids=torch.arange(a + b)[None], use_cache=False).last_hidden_state[0]
    return out[a - 1], out[a + b - 1]


def distance(kind, u, v):
    """Of one micro-batch: the sum over its rows."""
    if kind == "cosine":
        return (1 - F.cosine_similarity(u, v, dim=-1)).sum()
    if kind == "l2":
        return torch.linalg.norm(u - v, ord=2, dim=-1).sum()
    if kind == "mse":
        return ((u - v) ** 2).mean(-1).sum()
    logits = F.normalize(u, p=2, dim=1) @ F.normalize(v, p=2, dim=1).T / TEMPERATURE
    return F.cross_entropy(logits, torch.arange(len(u)), reduction="sum")


def case(kind, k, rows):
    with true_f64():
        model = load_f64("llama_tied").train()
        start = hashed("jepa/predictors", (max(k, 1), model.config.hidden_size))[:k] * 0.5
        predictors = torch.from_numpy(start).double().requires_grad_(k > 0)
        nll, tokens, us, vs = 0, 0, [], []
        for row in rows:
            ids = torch.tensor(row["prompt_ids"] + row["completion_ids"])
            logp = torch.log_softmax(model(ids[None], use_cache=False).logits[0, :-1], -1).gather(1, ids[1:, None])[:, 0]
            nll = nll - logp[len(row["prompt_ids"]) - 1:].sum()
            tokens += len(row["completion_ids"])
            u, v = states(model, predictors, row["prompt_ids"], row["completion_ids"])
            us.append(u)
            vs.append(v)
        u, v = torch.stack(us), torch.stack(vs)
        jepa = sum(distance(kind, u[i:i + MICRO_BATCH], v[i:i + MICRO_BATCH]) for i in range(0, len(rows), MICRO_BATCH)) / len(rows)
        lm = nll / tokens
        loss = GAMMA * lm + LAMBDA * jepa
        named = list(model.named_parameters()) + ([("predictors.weight", predictors)] if k else [])
        gradients = torch.autograd.grad(loss, [p for _, p in named])
    return {"jepa_loss_type": kind, "predictors": numbers(start), "k": k, "loss": number(loss), "lm_loss": number(lm), "jepa_loss": number(jepa),
            "cosine_similarity": number(F.cosine_similarity(u, v, dim=-1).mean()), "gradient_norms": {n: number(g.norm()) for (n, _), g in zip(named, gradients)}}


def main():
    rows = [{"prompt_ids": fixed_tokens(f"jepa{i}/prompt", p, VOCAB), "completion_ids": fixed_tokens(f"jepa{i}/completion", c, VOCAB)} for i, (p, c) in enumerate(LENGTHS)]
    cases = [case(kind, k, rows) for kind in ["cosine", "l2", "mse", "infonce"] for k in [0, 2]]
    write_json(HERE / "jepa.json", {"versions": versions(), "base": "llama_tied", "gamma": GAMMA, "lambda": LAMBDA, "temperature": TEMPERATURE, "micro_batch": MICRO_BATCH, "rows": rows, "cases": cases})
    print([(c["jepa_loss_type"], c["k"], c["loss"]) for c in cases])


if __name__ == "__main__":
    torch.set_num_threads(2)
    main()
