"""Writes the seeds of the gguf, safetensors, config_json and adapter fuzz targets (no packages)."""
import json
import pathlib
import struct

HERE = pathlib.Path(__file__).parent / "corpus"


def put(name, file, data):
    (HERE / name).mkdir(parents=True, exist_ok=True)
    (HERE / name / file).write_bytes(data)


def text(s):
    return struct.pack("<Q", len(s)) + s.encode()


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
