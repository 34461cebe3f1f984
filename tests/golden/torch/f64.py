"""transformers in true float64.

A transformers model in float64 still computes RMSNorm, the rope tables and the softmax in float32. Inside `true_f64()` the modelling
modules see a torch whose float32 is float64, so every number of a golden is good to about 1e-12. `witness_logits` is a second,
independent forward in numpy: make_golden.py refuses to write when the two differ.
"""
import contextlib
import math

import numpy as np
import torch


class _TorchF64:
    float32 = torch.float64
    float = torch.float64

    def __getattr__(self, name):
        return getattr(torch, name)


@contextlib.contextmanager
def true_f64():
    import transformers.modeling_rope_utils as rope
    from transformers.models.llama import modeling_llama
    from transformers.models.mistral import modeling_mistral
    from transformers.models.qwen2 import modeling_qwen2
    from transformers.models.qwen3 import modeling_qwen3

    modules = [rope, modeling_llama, modeling_mistral, modeling_qwen2, modeling_qwen3]
    real = torch.Tensor.float
    default = torch.get_default_dtype()
    try:
        for m in modules:
            m.torch = _TorchF64()
        torch.Tensor.float = torch.Tensor.double
        torch.set_default_dtype(torch.float64)
        yield
    finally:
        for m in modules:
            m.torch = torch
        torch.Tensor.float = real
        torch.set_default_dtype(default)


def _head_dim(config):
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads


def _rope_frequencies(config):
    p = dict(config.rope_parameters)
    d = _head_dim(config)
    f = p["rope_theta"] ** (-np.arange(0, d, 2, dtype=np.float64) / d)
    if p.get("rope_type", "default") == "default":
        return f
    assert p["rope_type"] == "llama3"
    original = p["original_max_position_embeddings"]
    low, high = original / p["low_freq_factor"], original / p["high_freq_factor"]
    out = []
    for x in f:
        wave = 2 * math.pi / x
        if wave < high:
            out.append(x)
        elif wave > low:
            out.append(x / p["factor"])
        else:
            s = (original / wave - p["low_freq_factor"]) / (p["high_freq_factor"] - p["low_freq_factor"])
            out.append((1 - s) * x / p["factor"] + s * x)
    return np.array(out)


def witness_logits(config, weights, ids):
    """weights: Hugging Face names -> arrays; rotates i with i + head_dim/2 (Hugging Face's row order). Returns [tokens, vocab]."""
    w = {k: np.asarray(v, dtype=np.float64) for k, v in weights.items()}
    heads, kv, d = config.num_attention_heads, config.num_key_value_heads, _head_dim(config)
    n = len(ids)
    angle = np.arange(n)[:, None] * _rope_frequencies(config)[None, :]
    cos, sin = np.cos(angle)[:, None, :], np.sin(angle)[:, None, :]
    window = getattr(config, "sliding_window", None) or n

    def norm(x, g):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + config.rms_norm_eps) * g

    def rope(x):
        a, b = x[..., : d // 2], x[..., d // 2:]
        return np.concatenate([a * cos - b * sin, b * cos + a * sin], -1)

    def linear(x, name):
        y = x @ w[name + ".weight"].T
        return y + w[name + ".bias"] if name + ".bias" in w else y

    x = w["model.embed_tokens.weight"][ids]
    for layer in range(config.num_hidden_layers):
        p = f"model.layers.{layer}."
        h = norm(x, w[p + "input_layernorm.weight"])
        q = linear(h, p + "self_attn.q_proj").reshape(n, heads, d)
        k = linear(h, p + "self_attn.k_proj").reshape(n, kv, d)
        v = linear(h, p + "self_attn.v_proj").reshape(n, kv, d)
        if p + "self_attn.q_norm.weight" in w:
            q, k = norm(q, w[p + "self_attn.q_norm.weight"]), norm(k, w[p + "self_attn.k_norm.weight"])
        q, k = rope(q), np.repeat(rope(k), heads // kv, axis=1)
        v = np.repeat(v, heads // kv, axis=1)
        s = np.einsum("ihd,jhd->hij", q, k) / math.sqrt(d)
        i, j = np.arange(n)[:, None], np.arange(n)[None, :]
        s = np.where((j <= i) & (i - j < window), s, -np.inf)
        s = np.exp(s - s.max(-1, keepdims=True))
        s /= s.sum(-1, keepdims=True)
        x = x + linear(np.einsum("hij,jhd->ihd", s, v).reshape(n, heads * d), p + "self_attn.o_proj")
        h = norm(x, w[p + "post_attention_layernorm.weight"])
        g = linear(h, p + "mlp.gate_proj")
        x = x + linear(g / (1 + np.exp(-g)) * linear(h, p + "mlp.up_proj"), p + "mlp.down_proj")
    x = norm(x, w["model.norm.weight"])
    return x @ w.get("lm_head.weight", w["model.embed_tokens.weight"]).T
