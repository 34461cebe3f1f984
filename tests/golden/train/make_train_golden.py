"""Goldens of the training room that need TRL or TensorBoard (README.md):

  dpo_metrics.json   what TRL's DPOTrainer logs of three pairs on tests/golden/torch/llama_tied
  packing.json       the bins of TRL's pack_dataset
  distillation.json  TRL's generalised Jensen-Shannon loss of llama_tied under the teacher llama3, and its gradient
  sparse_distillation.json  TRL's divergence over the teacher's five most likely words and all others as one, of the same two models
  unreferenced.json  what TRL's ORPOTrainer and CPOTrainer make of three pairs on llama_tied, and the gradient
  kto.json           what TRL's KTOTrainer makes of five judged answers on llama3, and the gradient
  tensorboard.bin    event frames written by TensorBoard's own RecordWriter

Usage: python make_train_golden.py dpo|packing|distillation|sparse|unreferenced|kto (trl) or tensorboard (tensorboard), each where that package is installed.
"""
import json
import pathlib
import random
import sys
import types
from collections import defaultdict

HERE = pathlib.Path(__file__).resolve().parent
TORCH = HERE.parent / "torch"


def dpo():
    import torch
    import transformers
    import trl
    from trl import DPOTrainer
    from trl.trainer.utils import add_fused_lm_head
    model = transformers.AutoModelForCausalLM.from_pretrained(TORCH / "llama_tied", dtype=torch.float32)
    add_fused_lm_head(model, outputs=("log_probs", "entropy", "mean_logits", "is_top1"))
    model.train()
    pairs = json.loads((TORCH / "dpo_lora_base.json").read_text())["pairs"]
    rows = [p["prompt_ids"] + p["chosen_ids"] for p in pairs] + [p["prompt_ids"] + p["rejected_ids"] for p in pairs]
    starts = [len(p["prompt_ids"]) for p in pairs] * 2
    longest = max(map(len, rows))
    ids = torch.tensor([r + [0] * (longest - len(r)) for r in rows])
    attention = torch.tensor([[1] * len(r) + [0] * (longest - len(r)) for r in rows])
    completion = torch.tensor([[int(s <= i < len(r)) for i in range(longest)] for r, s in zip(rows, starts)])
    zeros = torch.zeros(len(pairs))
    trainer = types.SimpleNamespace(
        model=model, accelerator=types.SimpleNamespace(device="cpu", gather_for_metrics=lambda v: v, gather=lambda v: v), aux_loss_enabled=False, ld_alpha=None,
        precompute_ref_logps=True, f_divergence_type="reverse_kl", f_alpha_divergence_coef=0.5, loss_types=["sigmoid"], loss_weights=[1.0], beta=0.1, label_smoothing=0.0,
        use_weighting=False, args=types.SimpleNamespace(discopop_tau=0.05), _metrics={"train": defaultdict(list)}, _total_train_tokens=0, _tp_size=1)
    inputs = {"input_ids": ids, "attention_mask": attention, "completion_mask": completion, "ref_chosen_logps": zeros, "ref_rejected_logps": zeros}
    loss = DPOTrainer._compute_loss(trainer, model, inputs, False)
    metrics = {k: v[0] for k, v in sorted(trainer._metrics["train"].items())}
    record = {"versions": {"trl": trl.__version__, "torch": torch.__version__, "transformers": transformers.__version__}, "beta": 0.1, "pairs": pairs, "loss": float(loss), "metrics": metrics}
    (HERE / "dpo_metrics.json").write_text(json.dumps(record) + "\n")
    print(record["loss"], metrics)


def packing():
    import datasets
    import trl
    cases = []
    for capacity, count, seed in [(8, 6, 1), (16, 40, 2), (64, 300, 3), (7, 25, 4)]:
        generator = random.Random(seed)
        lengths = [generator.randint(1, capacity) for _ in range(count)]
        # Each row holds its own number, so that the bins can be read back.
        packed = trl.pack_dataset(datasets.Dataset.from_dict({"input_ids": [[i] * n for i, n in enumerate(lengths)]}), seq_length=capacity, strategy="bfd")
        bins = [list(dict.fromkeys(row)) for row in packed["input_ids"]]
        cases.append({"capacity": capacity, "lengths": lengths, "bins": bins})
    (HERE / "packing.json").write_text(json.dumps({"versions": {"trl": trl.__version__}, "cases": cases}) + "\n")
    print([len(c["bins"]) for c in cases])


def distillation():
    import torch
    import transformers
    import trl
    from trl.experimental.gkd import GKDTrainer
    models = [transformers.AutoModelForCausalLM.from_pretrained(TORCH / name, dtype=torch.float64) for name in ("llama_tied", "llama3")]
    for model in models:
        model.model.embed_tokens.padding_idx = None  # transformers would zero that token's gradient
    student, teacher = models
    generator = random.Random(5)
    rows = [{"prompt_ids": [generator.randrange(128) for _ in range(p)], "completion_ids": [generator.randrange(128) for _ in range(c)]} for p, c in [(5, 9), (1, 4), (12, 17)]]
    cases = []
    for beta in (0.0, 0.1, 0.5, 0.9, 1.0):
        student.zero_grad()
        losses = []
        for row in rows:  # one at a time: no padding, and the sum is divided by all completion tokens
            ids = torch.tensor([row["prompt_ids"] + row["completion_ids"]])
            first, last = len(row["prompt_ids"]) - 1, ids.shape[1] - 1
            with torch.no_grad():
                wanted = teacher(ids).logits[:, first:last]
            losses.append(GKDTrainer.generalized_jsd_loss(student(ids).logits[:, first:last], wanted, beta=beta, reduction="sum"))
        loss = sum(losses) / sum(len(row["completion_ids"]) for row in rows)
        loss.backward()
        gradients = {name: {"norm": float(p.grad.norm()), "sample": [float(v) for v in p.grad.flatten()[:8]]} for name, p in student.named_parameters()}
        cases.append({"beta": beta, "loss": float(loss.detach()), "gradients": gradients})
        print(beta, cases[-1]["loss"])
    record = {"versions": {"trl": trl.__version__, "torch": torch.__version__, "transformers": transformers.__version__}, "student": "llama_tied", "teacher": "llama3", "rows": rows, "cases": cases}
    (HERE / "distillation.json").write_text(json.dumps(record) + "\n")


def sparse():
    import torch
    import transformers
    import trl
    from trl.experimental.server_distillation.server_distillation_trainer import _add_tail_bucket, _jsd_divergence
    models = [transformers.AutoModelForCausalLM.from_pretrained(TORCH / name, dtype=torch.float64) for name in ("llama_tied", "llama3")]
    for model in models:
        model.model.embed_tokens.padding_idx = None  # transformers would zero that token's gradient
    student, teacher = models
    generator = random.Random(6)
    rows = [{"prompt_ids": [generator.randrange(128) for _ in range(p)], "completion_ids": [generator.randrange(128) for _ in range(c)]} for p, c in [(5, 9), (1, 4), (12, 17)]]
    k, cases = 5, []
    for row in rows:
        ids = torch.tensor([row["prompt_ids"] + row["completion_ids"]])
        with torch.no_grad():
            top = torch.log_softmax(teacher(ids).logits[0, len(row["prompt_ids"]) - 1:-1], -1).topk(k)
        row["top_ids"], row["top_logprobs"] = top.indices.tolist(), top.values.tolist()
    for beta in (0.0, 0.1, 0.5, 1.0):
        student.zero_grad()
        losses = []
        for row in rows:
            ids = torch.tensor([row["prompt_ids"] + row["completion_ids"]])
            said = torch.log_softmax(student(ids).logits[:, len(row["prompt_ids"]) - 1:-1], -1).gather(2, torch.tensor([row["top_ids"]]))
            wanted = torch.tensor([row["top_logprobs"]], dtype=torch.float64)
            ours, mask = _add_tail_bucket(said, torch.ones_like(said, dtype=torch.bool))
            theirs, _ = _add_tail_bucket(wanted, torch.ones_like(said, dtype=torch.bool))
            losses.append(_jsd_divergence(ours, theirs, beta, support_mask=mask).sum())
        loss = sum(losses) / sum(len(row["completion_ids"]) for row in rows)
        loss.backward()
        gradients = {name: {"norm": float(p.grad.norm()), "sample": [float(v) for v in p.grad.flatten()[:8]]} for name, p in student.named_parameters()}
        cases.append({"beta": beta, "loss": float(loss.detach()), "gradients": gradients})
        print(beta, cases[-1]["loss"])
    record = {"versions": {"trl": trl.__version__, "torch": torch.__version__, "transformers": transformers.__version__}, "student": "llama_tied", "teacher": "llama3", "k": k, "rows": rows, "cases": cases}
    (HERE / "sparse_distillation.json").write_text(json.dumps(record) + "\n")


def unreferenced():
    import torch
    import transformers
    import trl
    from trl.experimental.cpo import CPOTrainer
    from trl.experimental.orpo import ORPOTrainer
    model = transformers.AutoModelForCausalLM.from_pretrained(TORCH / "llama_tied", dtype=torch.float64)
    model.model.embed_tokens.padding_idx = None
    pairs = json.loads((TORCH / "dpo_lora_base.json").read_text())["pairs"]
    batch = {}
    for side in ("chosen", "rejected"):
        rows = [p["prompt_ids"] + p[side + "_ids"] for p in pairs]
        longest = max(map(len, rows))
        batch[side + "_input_ids"] = torch.tensor([r + [0] * (longest - len(r)) for r in rows])
        batch[side + "_attention_mask"] = torch.tensor([[1] * len(r) + [0] * (longest - len(r)) for r in rows])
        batch[side + "_labels"] = torch.tensor([[-100] * len(p["prompt_ids"]) + p[side + "_ids"] + [-100] * (longest - len(r)) for p, r in zip(pairs, rows)])
    batch["prompt_input_ids"] = torch.zeros((len(pairs), 1), dtype=torch.long)
    batch["prompt_attention_mask"] = torch.ones((len(pairs), 1), dtype=torch.long)
    cases = []
    settings = [("orpo", {"beta": 0.1})] + [("cpo", {"beta": 0.1, "loss_type": kind, "label_smoothing": smoothing, "cpo_alpha": alpha, "simpo_gamma": 0.5})
                                            for kind, smoothing, alpha in [("sigmoid", 0.0, 1.0), ("sigmoid", 0.1, 0.5), ("hinge", 0.0, 1.0), ("ipo", 0.0, 1.0), ("simpo", 0.0, 0.0)]]
    for method, options in settings:
        kind = ORPOTrainer if method == "orpo" else CPOTrainer
        trainer = kind.__new__(kind)
        accelerator = types.SimpleNamespace(device="cpu", gather_for_metrics=lambda v: v, gather=lambda v: v)
        for key, value in {"is_encoder_decoder": False, "padding_value": 0, "pad_token_id": 0, "label_pad_token_id": -100, "accelerator": accelerator, "aux_loss_enabled": False, "alpha": 0.0, **options}.items():
            setattr(trainer, key, value)
        model.zero_grad()
        loss, metrics = trainer.get_batch_loss_metrics(model, batch, "train")
        loss.backward()
        gradients = {name: float(p.grad.norm()) for name, p in model.named_parameters()}
        cases.append({"method": method, "options": options, "loss": float(loss.detach()), "metrics": {k: float(v) for k, v in metrics.items() if not k.startswith("logits/")}, "gradient_norms": gradients})
        print(method, options, cases[-1]["loss"])
    record = {"versions": {"trl": trl.__version__, "torch": torch.__version__, "transformers": transformers.__version__}, "pairs": pairs, "cases": cases}
    (HERE / "unreferenced.json").write_text(json.dumps(record) + "\n")


def kto():
    import torch
    import transformers
    import trl
    from trl import KTOTrainer
    from trl.trainer.utils import add_fused_lm_head
    models = [transformers.AutoModelForCausalLM.from_pretrained(TORCH / name, dtype=torch.float32) for name in ("llama3", "llama_tied")]
    for model in models:
        model.model.embed_tokens.padding_idx = None
        add_fused_lm_head(model, outputs=("log_probs", "entropy", "mean_logits", "is_top1"))
    policy, reference = models
    policy.train()
    generator = random.Random(8)
    rows = [{"prompt_ids": [generator.randrange(128) for _ in range(p)], "completion_ids": [generator.randrange(128) for _ in range(c)], "label": label}
            for p, c, label in [(4, 7, True), (9, 3, False), (2, 11, True), (6, 5, False), (3, 4, True)]]

    def padded(prefix, pairs):
        longest = max(len(p) + len(c) for p, c in pairs)
        fill = lambda v: v + [0] * (longest - len(v))
        return {prefix + "input_ids": torch.tensor([fill(p + c) for p, c in pairs]), prefix + "attention_mask": torch.tensor([fill([1] * len(p + c)) for p, c in pairs]),
                prefix + "completion_mask": torch.tensor([fill([0] * len(p) + [1] * len(c)) for p, c in pairs])}

    batch = padded("", [(r["prompt_ids"], r["completion_ids"]) for r in rows])
    batch |= padded("KL_", [(r["prompt_ids"], rows[i - 1]["completion_ids"]) for i, r in enumerate(rows)])
    batch["label"] = torch.tensor([r["label"] for r in rows])
    cases = []
    for kind, beta, desirable, undesirable in [("kto", 0.1, 1.0, 1.0), ("kto", 0.3, 1.5, 0.5), ("apo_zero_unpaired", 0.2, 1.0, 1.0)]:
        trainer = KTOTrainer.__new__(KTOTrainer)
        accelerator = types.SimpleNamespace(device="cpu", gather_for_metrics=lambda v: v, gather=lambda v: v)
        arguments = types.SimpleNamespace(gradient_checkpointing_kwargs=None, gradient_checkpointing=False)
        for key, value in {"model": policy, "ref_model": reference, "accelerator": accelerator, "aux_loss_enabled": False, "precompute_ref_logps": False, "calculate_KL": kind == "kto", "loss_type": kind, "beta": beta,
                           "desirable_weight": desirable, "undesirable_weight": undesirable, "args": arguments, "_metrics": {"train": defaultdict(list)}, "_total_train_tokens": 0, "_tp_size": 1}.items():
            setattr(trainer, key, value)
        policy.zero_grad()
        loss = trainer._compute_loss(policy, batch, False)
        loss.backward()
        metrics = {k: float(v[0]) for k, v in sorted(trainer._metrics["train"].items())}
        cases.append({"loss_type": kind, "beta": beta, "desirable_weight": desirable, "undesirable_weight": undesirable, "loss": float(loss.detach()), "metrics": metrics,
                      "gradient_norms": {name: float(p.grad.norm()) for name, p in policy.named_parameters()}})
        print(kind, cases[-1]["loss"], metrics)
    record = {"versions": {"trl": trl.__version__, "torch": torch.__version__, "transformers": transformers.__version__}, "policy": "llama3", "reference": "llama_tied", "rows": rows, "cases": cases}
    (HERE / "kto.json").write_text(json.dumps(record) + "\n")


def tensorboard():
    import io
    import tensorboard as package
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter
    lines = [json.loads(line) for line in (HERE / "tensorboard.jsonl").read_text().splitlines()]
    out = io.BytesIO()
    writer = RecordWriter(out)
    writer.write(Event(wall_time=0, file_version="brain.Event:2").SerializeToString())
    for line in lines:
        event = Event(wall_time=line["step"], step=line["step"])
        for key, value in line.items():
            if key != "step":
                event.summary.value.add(tag="eval/" + key[5:] if key.startswith("eval_") else "train/" + key, simple_value=value)
        writer.write(event.SerializeToString())
    (HERE / "tensorboard.bin").write_bytes(out.getvalue())
    print(package.__version__, len(out.getvalue()))


if __name__ == "__main__":
    {"dpo": dpo, "packing": packing, "distillation": distillation, "sparse": sparse, "unreferenced": unreferenced, "kto": kto, "tensorboard": tensorboard}[sys.argv[1]]()
