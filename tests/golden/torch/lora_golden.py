"""PEFT adapters on `llama_tied`: one with rsLoRA and rank and alpha patterns (logits), and five DPO steps of a plain r = 4 adapter."""
import shutil

import peft
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from common import fixed_tokens, hashed, number, numbers, summaries, summary, versions, write_json
from f64 import true_f64
from make_golden import HERE, OPTIMISER, VOCAB, load_f64, optimiser_steps, tokens_record

BASE = "llama_tied"
ALL_LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
BETA = 0.1


def write_adapter(folder, label, **config):
    """A PEFT directory in float32 whose A and B are fixed and nonzero, written by PEFT."""
    model = AutoModelForCausalLM.from_pretrained(HERE / BASE, dtype=torch.float32)
    model = peft.get_peft_model(model, peft.LoraConfig(task_type="CAUSAL_LM", **config))
    model.peft_config["default"].base_model_name_or_path = BASE
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "lora_A" in name:
                p.copy_(torch.from_numpy(hashed(f"{label}/{name}", p.shape) * 0.25))
            if "lora_B" in name:
                p.copy_(torch.from_numpy(hashed(f"{label}/{name}", p.shape) * 0.125))
    save_adapter(model, folder)


def save_adapter(model, folder):
    out = HERE / folder
    shutil.rmtree(out, ignore_errors=True)
    model.save_pretrained(out)
    (out / "README.md").unlink(missing_ok=True)
    (out / "adapter_model.safetensors").chmod(0o644)


def load_adapter_f64(folder):
    """Only inside true_f64()."""
    model = peft.PeftModel.from_pretrained(load_f64(BASE), HERE / folder, is_trainable=True, autocast_adapter_dtype=False).double()
    stored = load_file(HERE / folder / "adapter_model.safetensors")
    mine = {short(n): p for n, p in model.named_parameters() if "lora_" in n}
    assert {k: v.double() for k, v in stored.items()}.keys() == mine.keys()
    assert all(torch.equal(stored[k].double(), mine[k]) for k in mine)
    return model


def short(name):
    return name.replace(".default", "")


def make_rslora():
    write_adapter("adapter_rslora", "rslora", r=4, lora_alpha=8, use_rslora=True, target_modules=["q_proj", "v_proj", "o_proj", "down_proj"],
                  rank_pattern={"down_proj": 6, "layers.1.self_attn.v_proj": 2}, alpha_pattern={"o_proj": 12, "layers.0.self_attn.q_proj": 3})
    ids = fixed_tokens("rslora/forward", 40, VOCAB)
    with true_f64():
        model = load_adapter_f64("adapter_rslora")
        logits, forward = tokens_record(model, ids)
        scaling = {short(n): number(m.scaling["default"]) for n, m in model.named_modules() if hasattr(m, "lora_A")}
        ranks = {n: m.r["default"] for n, m in model.named_modules() if hasattr(m, "lora_A")}
        with model.disable_adapter(), torch.no_grad():
            moved = (model(torch.tensor([ids])).logits[0] - logits).abs().max()
    write_json(HERE / "adapter_rslora.json", {"versions": versions(), "base": BASE, "adapter": "adapter_rslora", "scaling": scaling, "rank": ranks, "forward": forward, "adapter_moves_logits_by": number(moved, 3)})
    print("adapter_rslora", float(moved), sorted(set(scaling.values())))


def pairs():
    out = []
    for i, (prompt, chosen, rejected) in enumerate([(6, 9, 5), (11, 4, 14), (3, 7, 7)]):
        out.append({"prompt_ids": fixed_tokens(f"dpo{i}/prompt", prompt, VOCAB), "chosen_ids": fixed_tokens(f"dpo{i}/chosen", chosen, VOCAB),
                    "rejected_ids": fixed_tokens(f"dpo{i}/rejected", rejected, VOCAB)})
    return out


def completion_logp(model, prompt, completion):
    ids = torch.tensor(prompt + completion)
    logp = torch.log_softmax(model(ids[None], use_cache=False).logits[0, :-1], -1)
    return logp.gather(1, ids[1:, None])[len(prompt) - 1:, 0].sum()


def sums(model, rows):
    return (torch.stack([completion_logp(model, r["prompt_ids"], r["chosen_ids"]) for r in rows]), torch.stack([completion_logp(model, r["prompt_ids"], r["rejected_ids"]) for r in rows]))


def dpo_run(reference, save_to):
    rows = pairs()
    with true_f64():
        model = load_adapter_f64("adapter_dpo_start")
        for name, p in model.named_parameters():
            p.requires_grad_("lora_" in name)
        with torch.no_grad():
            if reference == "base":
                with model.disable_adapter():
                    ref_c, ref_r = sums(model, rows)
            else:
                ref_c, ref_r = sums(model, rows)
        named = [(short(n), p) for n, p in model.named_parameters() if p.requires_grad]
        gradients = {}

        def loss_of_batch():
            l_c, l_r = sums(model, rows)
            rewards_c, rewards_r = BETA * (l_c - ref_c), BETA * (l_r - ref_r)
            extra = {"logps/chosen": numbers(l_c.detach()), "logps/rejected": numbers(l_r.detach()), "rewards/margins": number((rewards_c - rewards_r).mean())}
            loss = -torch.nn.functional.logsigmoid(rewards_c - rewards_r).mean()
            if not gradients:
                gradients.update({n: summary(g) for (n, _), g in zip(named, torch.autograd.grad(loss, [p for _, p in named], retain_graph=True))})
            return loss, extra

        steps = optimiser_steps([p for _, p in named], loss_of_batch, lambda: {"adapter": summaries(named)})
    save_adapter(model.float(), save_to)
    print("dpo", reference, [s["loss"] for s in steps], [s["grad_norm"] for s in steps])
    return {"reference": reference, "ref_logps_chosen": numbers(ref_c), "ref_logps_rejected": numbers(ref_r), "gradients": gradients, "adapter_after": save_to, "steps": steps}


def make_dpo_run():
    write_adapter("adapter_dpo_start", "dpo", r=4, lora_alpha=8, target_modules=ALL_LINEAR)
    record = {"versions": versions(), "base": BASE, "adapter": "adapter_dpo_start", "beta": BETA, "loss_type": "sigmoid", "optimiser": OPTIMISER, "pairs": pairs()}
    for reference in ["base", "start"]:
        run = dpo_run(reference, f"adapter_dpo_after_{reference}")
        path = HERE / f"dpo_lora_{reference}.json"
        write_json(path, {**record, **run})
