"""Reward models on `llama_tied` with a score head: TRL's own RewardTrainer.compute_loss on a table of scores, on the whole model and on a PEFT adapter."""
import types
from collections import defaultdict

import peft
import torch
from transformers import AutoModelForSequenceClassification
from trl import RewardTrainer
from trl.trainer.reward_trainer import DataCollatorForPreference

from common import fixed_tokens, hashed, number, numbers, summaries, summary, versions, write_json
from f64 import true_f64
from lora_golden import ALL_LINEAR, BASE, save_adapter
from make_golden import HERE, OPTIMISER, VOCAB, optimiser_steps

PAD = 0
TABLE = [(0.5, -0.25), (-1.5, 2.0), (0.0, 0.0), (3.25, 3.0), (-12.0, 9.5), (40.0, -3.0)]
MARGINS = [0.5, 0.0, 1.0, 0.25, 2.0, -0.5]
CASES = {"plain": dict(), "margin": dict(margin=True), "center": dict(center=0.01), "margin_center": dict(margin=True, center=0.25)}


def trl_loss(model, inputs, center):
    trainer = types.SimpleNamespace(model=types.SimpleNamespace(training=True), args=types.SimpleNamespace(center_rewards_coefficient=center), _metrics={"train": defaultdict(list)},
                                    accelerator=types.SimpleNamespace(gather_for_metrics=lambda v: v, gather=lambda v: v), _total_train_tokens=0, _tp_size=1)
    loss = RewardTrainer.compute_loss(trainer, model, dict(inputs))
    return loss, {k: number(v[0]) for k, v in trainer._metrics["train"].items()}


def table_case(case):
    chosen = torch.tensor([row[0] for row in TABLE], dtype=torch.float64, requires_grad=True)
    rejected = torch.tensor([row[1] for row in TABLE], dtype=torch.float64, requires_grad=True)
    inputs = {"attention_mask": torch.ones(2 * len(TABLE), 1, dtype=torch.long)}
    if case.get("margin"):
        inputs["margin"] = torch.tensor(MARGINS)
    center = case.get("center")
    loss, metrics = trl_loss(lambda **_: types.SimpleNamespace(logits=torch.cat([chosen, rejected])[:, None]), inputs, center)
    d_c, d_r = torch.autograd.grad(loss, [chosen, rejected])
    return {"margin": bool(case.get("margin")), "center": center or 0, "loss": number(loss), "metrics": metrics, "d_chosen": numbers(d_c), "d_rejected": numbers(d_r)}


def pairs():
    out = []
    for i, (prompt, chosen, rejected, margin) in enumerate([(6, 9, 5, 0.5), (11, 4, 14, 0.0), (3, 7, 7, 1.25), (20, 1, 2, -0.25)]):
        out.append({"prompt_ids": fixed_tokens(f"reward{i}/prompt", prompt, VOCAB), "chosen_ids": fixed_tokens(f"reward{i}/chosen", chosen, VOCAB),
                    "rejected_ids": fixed_tokens(f"reward{i}/rejected", rejected, VOCAB), "margin": margin})
        assert out[-1]["chosen_ids"][-1] != PAD and out[-1]["rejected_ids"][-1] != PAD
    return out


def collate(rows, margin):
    examples = [{"chosen_ids": r["prompt_ids"] + r["chosen_ids"], "rejected_ids": r["prompt_ids"] + r["rejected_ids"]} for r in rows]
    if margin:
        for e, r in zip(examples, rows):
            e["margin"] = r["margin"]
    return DataCollatorForPreference(pad_token_id=PAD)(examples)


def load_f64():
    """Only inside true_f64(). The pad id is set afterwards: the embedding's gradient stays whole."""
    model = AutoModelForSequenceClassification.from_pretrained(HERE / BASE, num_labels=1, dtype=torch.float64, attn_implementation="eager")
    with torch.no_grad():
        model.score.weight.copy_(torch.from_numpy(hashed("reward/score.weight", model.score.weight.shape) * 0.5))
    model.config.pad_token_id = PAD
    return model.train()


def run(model, named, margin, center):
    rows = pairs()
    inputs = collate(rows, margin)
    gradients = {}

    def loss_of_batch():
        loss, metrics = trl_loss(model, inputs, center)
        with torch.no_grad():
            scores = model(**{k: inputs[k] for k in ["input_ids", "attention_mask"]}).logits[:, 0]
        if not gradients:
            gradients.update({n: summary(g) for (n, _), g in zip(named, torch.autograd.grad(loss, [p for _, p in named], retain_graph=True))})
        return loss, {"chosen": numbers(scores[: len(rows)]), "rejected": numbers(scores[len(rows):]), "metrics": metrics}

    steps = optimiser_steps([p for _, p in named], loss_of_batch, lambda: {"weights": summaries(named)})
    return {"versions": versions(), "base": BASE, "center": center or 0, "margin": margin, "optimiser": OPTIMISER, "pairs": rows, "gradients": gradients, "steps": steps}


def make_rewards():
    write_json(HERE / "reward_losses.json", {"versions": versions(), "table": [list(row) for row in TABLE], "margins": MARGINS, "cases": {name: table_case(case) for name, case in CASES.items()}})
    with true_f64():
        model = load_f64()
        record = run(model, list(model.named_parameters()), True, 0.01)
    write_json(HERE / "reward_full.json", {**record, "score": numbers(hashed("reward/score.weight", (1, 48)) * 0.5)})
    print("reward full", [s["loss"] for s in record["steps"]])
    with true_f64():
        model = load_f64()
        model = peft.get_peft_model(model, peft.LoraConfig(task_type="SEQ_CLS", r=4, lora_alpha=8, target_modules=ALL_LINEAR, modules_to_save=["score"]), autocast_adapter_dtype=False)
        model.peft_config["default"].base_model_name_or_path = BASE
        named = []
        with torch.no_grad():
            for name, p in model.named_parameters():
                if "lora_A" in name or "lora_B" in name:
                    p.copy_(torch.from_numpy(hashed(f"reward/{name}", p.shape) * (0.25 if "lora_A" in name else 0.125)))
                if p.requires_grad:
                    named.append((name.replace(".default", "").replace(".modules_to_save", ""), p))
    save_adapter(model.float(), "adapter_reward_start")
    with true_f64():
        record = run(model.double(), named, False, None)
    write_json(HERE / "reward_lora.json", {**record, "adapter": "adapter_reward_start"})
    print("reward lora", [s["loss"] for s in record["steps"]])


if __name__ == "__main__":
    torch.set_num_threads(2)
    make_rewards()
