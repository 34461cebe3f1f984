"""Writes the seeds of the gguf, tokenizer_gguf, safetensors, config_json, adapter, adapter_gguf and run fuzz
targets (no packages)."""
import json
import pathlib
import struct

HERE = pathlib.Path(__file__).parent / "corpus"


def put(name, file, data):
    (HERE / name).mkdir(parents=True, exist_ok=True)
    (HERE / name / file).write_bytes(data)


def text(s):
    return struct.pack("<Q", len(s.encode())) + s.encode()


def safetensors(tensors):
    header, data = {}, b""
    for name, shape in tensors.items():
        size = 4
        for n in shape:
            size *= n
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + size]}
        data += bytes(size)
    head = json.dumps(header).encode()
    return struct.pack("<Q", len(head)) + head + data


def gguf():
    u32 = {"block_count": 1, "context_length": 16, "embedding_length": 4, "feed_forward_length": 6,
           "attention.head_count": 2, "attention.head_count_kv": 1}
    f32 = {"attention.layer_norm_rms_epsilon": 1e-5, "rope.freq_base": 1e4}
    meta = [text("general.architecture") + struct.pack("<I", 8) + text("llama")]
    meta += [text("llama." + k) + struct.pack("<II", 4, v) for k, v in u32.items()]
    meta += [text("llama." + k) + struct.pack("<If", 6, v) for k, v in f32.items()]
    meta += [text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("b")]
    shapes = {"token_embd": [4, 8], "output_norm": [4], "blk.0.attn_norm": [4], "blk.0.attn_q": [4, 4],
              "blk.0.attn_k": [4, 2], "blk.0.attn_v": [4, 2], "blk.0.attn_output": [4, 4],
              "blk.0.ffn_norm": [4], "blk.0.ffn_gate": [4, 6], "blk.0.ffn_up": [4, 6],
              "blk.0.ffn_down": [6, 4]}
    infos, data = b"", b""
    for name, shape in shapes.items():
        size = 4
        for n in shape:
            size *= n
        infos += text(name + ".weight") + struct.pack("<I", len(shape))
        infos += b"".join(struct.pack("<Q", n) for n in shape) + struct.pack("<IQ", 0, len(data))
        data += bytes(size + -size % 32)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(meta)) + b"".join(meta) + infos
    return head + bytes(-len(head) % 32) + data


def gguf_adapter(meta, shapes):
    """A GGUF of these words and f32 tensors, as an adapter is."""
    infos, data = b"", b""
    for name, shape in shapes.items():
        size = 4 * shape[0] * shape[1]
        infos += text(name) + struct.pack("<IQQIQ", 2, shape[0], shape[1], 0, len(data))
        data += bytes(size + -size % 32)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(meta)) + b"".join(meta) + infos
    return head + bytes(-len(head) % 32) + data


def strings(values):
    return struct.pack("<IIQ", 9, 8, len(values)) + b"".join(text(v) for v in values)


def vocabulary(model, tokens, types, more):
    """A GGUF file without tensors: what a tokenizer is read from."""
    prefix = "tokenizer.ggml."
    meta = [text("general.architecture") + struct.pack("<I", 8) + text("llama"),
            text(prefix + "model") + struct.pack("<I", 8) + text(model),
            text(prefix + "tokens") + strings(tokens),
            text(prefix + "token_type") + struct.pack("<IIQ", 9, 5, len(types)) + struct.pack(f"<{len(types)}i", *types)]
    meta += [text(key) + value for key, value in more.items()]
    return b"GGUF" + struct.pack("<IQQ", 3, 0, len(meta)) + b"".join(meta)


def u32(value):
    return struct.pack("<II", 4, value)


def word(value):
    return struct.pack("<I", 8) + text(value)


TEMPLATE = "{% for m in messages %}<s>{{ m.role }} {{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<s>{% endif %}"
BYTE_LEVEL = ["<s>", "<|end|>", "a", "b", "\u0120", "ab", "\u0120a", "1", "2", "\u010a", "\u00c3", "\u00a9", "l", "'", "<", "ll"]
for pre in ["smollm", "gpt-2", "llama-bpe", "qwen2"]:
    put("tokenizer_gguf", pre, vocabulary("gpt2", BYTE_LEVEL, [3, 3] + [1] * 13 + [4], {
        "tokenizer.ggml.pre": word(pre), "tokenizer.ggml.merges": strings(["a b", "\u0120 a", "l l"]),
        "tokenizer.ggml.bos_token_id": u32(0), "tokenizer.ggml.eos_token_id": u32(1),
        "tokenizer.ggml.add_bos_token": struct.pack("<I?", 7, True), "tokenizer.chat_template": word(TEMPLATE)}))
PIECES = ["<unk>", "<s>", "</s>", "<0x0A>", "<0xC3>", "<0xA9>", "\u2581", "a", "b", "ab", "\u2581ab", "1", "<|end|>"]
put("tokenizer_gguf", "llama", vocabulary("llama", PIECES, [2, 3, 3, 6, 6, 6, 1, 1, 1, 1, 1, 1, 3], {
    "tokenizer.ggml.scores": struct.pack("<IIQ", 9, 6, 13) + struct.pack("<13f", *[-float(i) for i in range(13)]),
    "tokenizer.ggml.unknown_token_id": u32(0), "tokenizer.ggml.eot_token_id": u32(12),
    "tokenizer.chat_template": word(TEMPLATE)}))

CONFIG = {"model_type": "llama", "vocab_size": 8, "hidden_size": 4, "max_position_embeddings": 16,
          "num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 6,
          "num_hidden_layers": 1, "hidden_act": "silu", "tie_word_embeddings": True}
LLAMA3 = {"rope_type": "llama3", "rope_theta": 1e4, "factor": 8.0, "low_freq_factor": 1.0,
          "high_freq_factor": 4.0, "original_max_position_embeddings": 32}
put("gguf", "llama", gguf())
put("gguf", "cut", gguf()[:500])
put("safetensors", "two", safetensors({"a": [2, 3], "b": [4]}))
put("config_json", "old", json.dumps(CONFIG | {"rope_theta": 1e4, "rope_scaling": None}).encode())
put("config_json", "new", json.dumps(CONFIG | {"rope_parameters": LLAMA3}).encode())
put("config_json", "qwen2", json.dumps(CONFIG | {"model_type": "qwen2", "use_sliding_window": True,
                                                "sliding_window": 4, "layer_types": ["sliding_attention"]}).encode())
module = "base_model.model.model.layers.0.self_attn.q_proj.lora_"
adapter = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "bias": "none", "rank_pattern": {"q_proj": 1}}
put("adapter", "q", json.dumps(adapter).encode() + b"\0" +
    safetensors({module + "A.weight": [1, 4], module + "B.weight": [4, 1]}))

lora = [text("general.architecture") + word("llama"), text("general.type") + word("adapter"),
        text("adapter.type") + word("lora"), text("adapter.lora.alpha") + struct.pack("<If", 6, 8.0)]
both = {"blk.0.attn_q.weight.lora_a": [4, 2], "blk.0.attn_q.weight.lora_b": [2, 4],
        "blk.0.ffn_down.weight.lora_a": [6, 1], "blk.0.ffn_down.weight.lora_b": [1, 4]}
put("adapter_gguf", "q_down", gguf_adapter(lora, both))
put("adapter_gguf", "only_a", gguf_adapter(lora, {"blk.0.attn_q.weight.lora_a": [4, 2]}))
put("adapter_gguf", "no_map", gguf_adapter(lora, {"blk.9.attn_q.weight.lora_a": [4, 2], "output_norm.weight.lora_b": [2, 4]}))
put("adapter_gguf", "cut", gguf_adapter(lora, both)[:300])

module = "model.layers.0.self_attn.q_proj.lora_"
kinds = [".value", ".exp_avg", ".exp_avg_sq"]
state = {"hone.numbers exact-f32/1": [5]} | {module + "A.weight" + k: [64] for k in kinds}
state |= {module + "B.weight" + k: [16] for k in kinds}
checkpoint = bytearray(safetensors(state))
struct.pack_into("<5f", checkpoint, 8 + struct.unpack_from("<Q", checkpoint)[0], 1, 0, 2, 30, 30)
SETTINGS = {"adam_beta1": 0.9, "adam_beta2": 0.999, "adam_epsilon": 1e-8, "assistant_only_loss": False,
            "completion_only_loss": True, "gradient_accumulation_steps": 1, "learning_rate": 2e-5,
            "lora_alpha": 0, "lora_dropout": 0, "lora_r": 1, "lora_target_modules": ["q_proj"],
            "lr_scheduler_type": "linear", "max_grad_norm": 1, "max_length": 1024, "max_prompt_length": 0,
            "max_steps": 4, "num_train_epochs": 3, "packing": False, "per_device_train_batch_size": 8, "prefix_sharing": True,
            "train_sampling_strategy": "random", "warmup_ratio": 0, "warmup_steps": 0, "weight_decay": 0}
PAIRS = {"beta": 0.1, "loss_type": ["sigmoid", "sft"], "loss_weights": [1, 0.5], "label_smoothing": 0,
         "reference_free": False}
STEPS = "".join(json.dumps({"step": n, "loss": 1.5, "grad_norm": 2.5, "hash": "1313d259f91615aa"}) + "\n"
                for n in (1, 2, 3))
dpo = {k: v for k, v in SETTINGS.items() if k != "packing" and not k.endswith("_only_loss")} | PAIRS
for method, settings in {"sft": SETTINGS, "dpo": dpo}.items():
    manifest = {"digests": {"data": "a69d", "model": "1a25"}, "method": method,
                "program": {"commit": "0123456789ab", "version": "0.1.0"}, "recipe": "exact-f32/1",
                "schema": "hone.run/1", "seeds": {"seed": "42"}, "settings": settings}
    put("run", method, json.dumps(manifest).encode() + b"\n====\n" + STEPS.encode() + b"\n====\n" + checkpoint)
