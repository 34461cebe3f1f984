"""The real TRL reads what `hone export-run --to trl` writes: every config through TRL's own parser (the command's, or the script's), every file
through datasets, then one training step each of sft and dpo on this CPU. OpenRLHF's flags are looked up when HONE_OPENRLHF names its sources.
Environment: HONE, HONE_MODEL, HONE_WORK (an empty folder)."""
import contextlib
import importlib
import json
import os
import re
import subprocess
import sys

HONE, MODEL, WORK = (os.environ[name] for name in ("HONE", "HONE_MODEL", "HONE_WORK"))
PAIR = {"prompt": [{"role": "user", "content": "What is 2 + 2?"}], "chosen": [{"role": "assistant", "content": "4"}], "rejected": [{"role": "assistant", "content": "Five."}]}
CHAT = {"messages": PAIR["prompt"] + PAIR["chosen"]}
SUMS = [{"prompt": f"{a} + {a} =", "answer": str(2 * a)} for a in range(8)]
REWARDS = ["numeric:take=first", "regex:as=digits,pattern=^ ?[0-9]+$", "length:target=4", "overlong:max=16,cache=4", "format", "exact", "prefix:as=start"]
# What a config says beside its defaults; every option that TRL has by another name is somewhere.
COMMON = {"learning_rate": "1e-5", "warmup_ratio": 0.1, "lr_scheduler_type": "constant", "weight_decay": 0.01, "lora_r": 8, "max_steps": 1, "seed": 7}
ONLINE = {**COMMON, "num_generations": 2, "per_device_train_batch_size": 4, "max_completion_length": 16, "reward": REWARDS, "reward_weights": "1,1,0.5,1,1,1,1"}
CASES = {
    "sft": ({**COMMON, "assistant_only_loss": "false", "packing": "true"}, [CHAT] * 8),
    "dpo": ({**COMMON, "loss_type": "sigmoid,sft", "loss_weights": "1,0.5", "eval_steps": 1}, [PAIR] * 8),
    "reward": ({**COMMON, "center_rewards_coefficient": 0.01}, [{**PAIR, "margin": 0.5}] * 8),
    "kto": (COMMON, [{"prompt": "a", "completion": " b", "label": n % 2 == 0} for n in range(8)]),
    "orpo": (COMMON, [PAIR] * 8),
    "cpo": ({**COMMON, "loss_type": "simpo", "cpo_alpha": 0}, [PAIR] * 8),
    "grpo": ({**ONLINE, "loss_type": "dr_grpo", "scale_rewards": "none", "epsilon_high": 0.28, "min_p": 0.05, "steps_per_generation": 2}, SUMS),
    "rloo": ({**ONLINE, "reward_clip_range": "-1,1"}, SUMS),
    "online_dpo": ({**COMMON, "max_completion_length": 16, "reward": REWARDS[:2]}, SUMS),
    "distill": ({**COMMON, "teacher": "teacher.gguf", "temperature": 1.0}, [CHAT] * 8),
}
PLAIN = {"sft": ({"max_length": 0, "max_steps": 1}, [{"text": "One line of text."}] * 8), "dpo": ({"max_steps": 1}, [{"prompt": "a", "chosen": " b", "rejected": " c"}] * 8)}


def export(name, method, config, rows, *words):
    folder = os.path.join(WORK, name)
    os.makedirs(folder)
    for file in ("rows", "held_out"):
        with open(os.path.join(folder, file + ".jsonl"), "w", encoding="utf-8") as out:
            out.writelines(json.dumps(row) + "\n" for row in rows)
    config = {**config, "model": MODEL, "data": f"{folder}/rows.jsonl", "eval_data": f"{folder}/held_out.jsonl"}
    with open(os.path.join(folder, "config.yaml"), "w", encoding="utf-8") as out:
        out.write("".join(f"{key}: {json.dumps(value)}\n" for key, value in config.items()))
    out = os.path.join(folder, "out")
    subprocess.run([HONE, "export-run", f"{folder}/config.yaml", "--method", method, "--output", out, "--quiet", *words], check=True)
    return out


@contextlib.contextmanager
def inside(folder):
    before = os.getcwd()
    os.chdir(folder)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        os.chdir(before)
        sys.path.remove(folder)
        for module in ("rewards", "train"):
            sys.modules.pop(module, None)


def parsed(folder, *more):
    """(arguments, training, model) as TRL's command or the script reads them."""
    with open(os.path.join(folder, "launch.sh"), encoding="utf-8") as file:
        launch = file.read()
    arguments = ["--config", "config.yaml", *more]
    command = re.search(r"exec trl (\w+) ", launch)
    if command:
        parser = importlib.import_module(f"trl.scripts.{command[1]}").make_parser()
    else:
        script = importlib.import_module("train")
        from trl import ModelConfig, TrlParser
        config = next(getattr(script, name) for name in dir(script) if name.endswith("Config") and name != "ModelConfig")
        parser = TrlParser((script.Arguments, config, ModelConfig))
    return parser.parse_args_and_config(args=arguments, fail_with_unknown_args=True)[:3]


def check(method, folder):
    from datasets import load_dataset
    with inside(folder):
        script, training, model = parsed(folder, "--bf16", "false", "--use_cpu", "true")
        assert model.model_name_or_path == "./model", model.model_name_or_path
        rows = load_dataset(script.dataset_name)
        assert set(rows) == {"train", "test"} and len(rows["train"]) == 8, rows
        config = CASES[method][0]
        assert training.learning_rate == 1e-5 and training.seed == 7 and training.max_steps == 1
        assert training.warmup_steps == 0.1 and training.lr_scheduler_type == "constant_with_warmup", (training.warmup_steps, training.lr_scheduler_type)
        assert training.weight_decay == 0.01 and model.use_peft and model.lora_r == 8 and model.lora_alpha == 16
        if method == "dpo":
            assert training.loss_type == ["sigmoid", "sft"] and training.loss_weights == [1.0, 0.5]
        if "reward" in config:
            check_rewards(rows["train"])
        names = rows["train"].column_names
    print(f"{method}: parsed by TRL, {len(rows['train'])} rows of {', '.join(names)}")


def check_rewards(rows):
    rewards = importlib.import_module("rewards")
    columns = {"answer": rows["answer"]}
    got = {name: getattr(rewards, name)(completions=[f" {a}" for a in rows["answer"]], completion_ids=[[1] * 15] * len(rows), **columns)
           for name in dir(rewards) if name.startswith("reward_")}
    assert got["reward_numeric"] == [1.0] * 8 and got["reward_digits"] == [1.0] * 8, got
    if "reward_overlong" in got:
        assert got["reward_exact"] == [1.0] * 8 and got["reward_start"] == [1.0] * 8 and got["reward_format"] == [0.0] * 8
        assert got["reward_overlong"] == [-0.75] * 8 and got["reward_length"] == [0.0] * 8, got


def step(method, folder, model):
    """One step by TRL's own command."""
    os.symlink(model, os.path.join(folder, "model"))
    with inside(folder):
        script = importlib.import_module(f"trl.scripts.{method}")
        parsed_all = script.make_parser().parse_args_and_config(
            args=["--config", "config.yaml", "--bf16", "false", "--use_cpu", "true", "--eval_strategy", "no", "--save_strategy", "no", "--logging_steps", "1", "--max_length", "64", "--per_device_train_batch_size", "1"])
        script.main(*parsed_all)
        with open("output/adapter_config.json", encoding="utf-8") as file:
            adapter = json.load(file)
    assert adapter["r"] == 8, adapter
    print(f"{method}: one step of TRL from the exported folder, an adapter of rank {adapter['r']} came out")


def check_openrlhf(sources):
    """Every flag of the launch scripts is one that the program's parser knows."""
    cases = {"sft": PLAIN["sft"], "dpo": CASES["dpo"], "reward": CASES["reward"]}
    online = {**COMMON, "num_generations": 2, "per_device_train_batch_size": 4, "max_completion_length": 16, "reward": ["numeric:take=first"]}
    cases |= {method: (online, SUMS) for method in ("grpo", "rloo")}
    cases["ppo"] = ({"max_steps": 1, "reward": ["numeric:take=first"]}, SUMS)
    for method, (config, rows) in cases.items():
        folder = export("openrlhf_" + method, method, config, rows, "--to", "openrlhf")
        with open(os.path.join(folder, "launch.sh"), encoding="utf-8") as file:
            launch = file.read()
        module = re.search(r"openrlhf\.cli\.(\w+)", launch)[1]
        with open(os.path.join(sources, "openrlhf", "cli", module + ".py"), encoding="utf-8") as file:
            text = file.read()
        known = set(re.findall(r'"--([\w.]+)"', text))
        known |= {prefix + name for prefix in ("actor", "critic") for name in re.findall(r'f"--\{prefix\}([\w.]+)"', text)}
        flags = re.findall(r"^   --([\w.]+)", launch, re.M)
        unknown = [flag for flag in flags if flag not in known]
        assert not unknown and len(flags) > 15, (method, unknown)
        print(f"openrlhf {method}: {len(flags)} flags, all of {module}")


def main():
    if os.environ.get("HONE_OPENRLHF"):
        check_openrlhf(os.environ["HONE_OPENRLHF"])
    folders = {method: export(method, method, config, rows, "--to", "trl") for method, (config, rows) in CASES.items()}
    for method, folder in folders.items():
        check(method, folder)
    for method, (config, rows) in PLAIN.items():
        folder = export("plain_" + method, method, config, rows, "--to", "trl")
        with inside(folder):
            script, training, _ = parsed(folder, "--bf16", "false", "--use_cpu", "true")
            assert training.max_length == (None if method == "sft" else 1024), training.max_length
    model = os.path.join(WORK, "model")
    subprocess.run([HONE, "model", "export", MODEL, "--output", model, "--type", "F32", "--quiet"], check=True)
    for method in ("sft", "dpo"):
        step(method, folders[method], model)


main()
