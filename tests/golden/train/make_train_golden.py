"""Goldens of the training room that need TRL or TensorBoard (README.md):

  dpo_metrics.json   what TRL's DPOTrainer logs of three pairs on tests/golden/torch/llama_tied
  packing.json       the bins of TRL's pack_dataset
  tensorboard.bin    event frames written by TensorBoard's own RecordWriter

Usage: python make_train_golden.py dpo|packing (trl) or tensorboard (tensorboard), each where that package is installed.
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
    {"dpo": dpo, "packing": packing, "tensorboard": tensorboard}[sys.argv[1]]()
