"""The demo model in transformers: dequantises the GGUF with gguf-py, undoes the rope permutation, runs f32 and f64, writes smollm2.json.

Run: python smollm2_golden.py MODEL.gguf [HF_DIRECTORY]   (the second argument also saves the f32 model, with a tokenizer, for bench/peers)
"""
import hashlib
import json
import pathlib
import sys

import numpy as np
import torch
from gguf import GGUFReader, dequantize
from transformers import LlamaConfig, LlamaForCausalLM

from common import number, numbers, versions, write_json
from f64 import true_f64, witness_logits

HERE = pathlib.Path(__file__).resolve().parent
NAMES = {"attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
         "ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
PROMPTS = [
    ("text", "The quick brown fox jumps over the lazy dog. In 1969, humans first"),
    ("code", "def fibonacci(n):\n    if n < 2:\n        return n\n    return"),
    ("chat", "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"),
]
NEW_TOKENS = 24
LOGIT_IDS = [0, 1, 2, 28, 198, 1000, 5000, 12345, 30000, 49151]


def hugging_face_name(name):
    if name == "token_embd.weight":
        return "model.embed_tokens.weight"
    if name == "output_norm.weight":
        return "model.norm.weight"
    _, layer, part, kind = name.split(".")
    return f"model.layers.{layer}.{NAMES[part]}.{kind}"


def unpermute(rows, heads):
    """llama.cpp's row order (rotates 2i, 2i+1) to Hugging Face's (rotates i, i + d/2)."""
    d = rows.shape[0] // heads
    return rows.reshape(heads, d // 2, 2, rows.shape[1]).swapaxes(1, 2).reshape(rows.shape)


def read(path):
    reader = GGUFReader(path)
    def value(key):
        return reader.fields[key].contents()
    config = LlamaConfig(
        vocab_size=value("llama.vocab_size"), hidden_size=value("llama.embedding_length"), intermediate_size=value("llama.feed_forward_length"), num_hidden_layers=value("llama.block_count"),
        num_attention_heads=value("llama.attention.head_count"), num_key_value_heads=value("llama.attention.head_count_kv"), max_position_embeddings=value("llama.context_length"),
        rms_norm_eps=float(f"{value('llama.attention.layer_norm_rms_epsilon'):.3g}"), rope_parameters={"rope_type": "default", "rope_theta": float(value("llama.rope.freq_base"))},
        tie_word_embeddings=True, bos_token_id=1, eos_token_id=2, pad_token_id=None)
    weights = {}
    for t in reader.tensors:
        w = np.array(dequantize(t.data, t.tensor_type), dtype=np.float32)
        if ".attn_q." in t.name:
            w = unpermute(w, config.num_attention_heads)
        if ".attn_k." in t.name:
            w = unpermute(w, config.num_key_value_heads)
        weights[hugging_face_name(t.name)] = np.ascontiguousarray(w)
    return reader, config, weights


def build(config, weights, dtype):
    model = LlamaForCausalLM._from_config(config, attn_implementation="eager", dtype=dtype)
    missing = model.load_state_dict({k: torch.from_numpy(v).to(dtype) for k, v in weights.items()}, strict=False)
    assert missing.missing_keys in ([], ["lm_head.weight"]) and not missing.unexpected_keys, missing
    model.tie_weights()
    return model.eval()


def tokenizer_of(reader):
    """A tokenizers.Tokenizer from the GGUF's vocabulary: every digit alone, then GPT-2's byte-level BPE."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    kinds = reader.fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(m.split(" ")) for m in reader.fields["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t, k in zip(tokens, kinds) if k == 3])
    return tokenizer


def save_hugging_face(reader, config, weights, out):
    from transformers import PreTrainedTokenizerFast
    build(config, weights, torch.float32).save_pretrained(out)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer_of(reader), bos_token="<|im_start|>", eos_token="<|im_end|>", pad_token="<|im_end|>", unk_token="<|endoftext|>")
    tokenizer.chat_template = reader.fields["tokenizer.chat_template"].contents()
    tokenizer.save_pretrained(out)


def greedy(model, ids):
    """The whole sequence again for each token: no cache, so nothing but the forward is under test."""
    ids, logits = list(ids), None
    with torch.no_grad():
        for _ in range(NEW_TOKENS):
            logits = model(torch.tensor([ids]), use_cache=False).logits[0]
            ids.append(int(logits[-1].argmax()))
        logits = model(torch.tensor([ids]), use_cache=False).logits[0]
    return ids, logits


def main(path, out=None):
    reader, config, weights = read(path)
    if out:
        save_hugging_face(reader, config, weights, out)
    tokenizer = tokenizer_of(reader)
    with true_f64():
        exact = build(config, weights, torch.float64)
        assert exact.model.rotary_emb.inv_freq.dtype == torch.float64
        runs = [(name, text, tokenizer.encode(text).ids) for name, text in PROMPTS]
        results = [greedy(exact, ids) for _, _, ids in runs]
        del exact
    plain = build(config, weights, torch.float32)
    record = {"versions": versions(), "model": pathlib.Path(path).name, "sha256": hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest(), "logit_ids": LOGIT_IDS, "prompts": []}
    for (name, text, prompt), (ids, logits) in zip(runs, results):
        if name == "chat":
            worst = np.abs(witness_logits(config, weights, ids) - logits.numpy()).max()
            assert worst < 1e-9, worst
        logp = torch.log_softmax(logits, -1)
        with torch.no_grad():
            f32 = plain(torch.tensor([ids]), use_cache=False).logits[0].double()
        top = logits[len(prompt) - 1:-1].topk(2, -1).values
        record["prompts"].append({
            "name": name, "text": text, "prompt_ids": prompt, "greedy_ids": ids[len(prompt):], "greedy_text": tokenizer.decode(ids[len(prompt):], skip_special_tokens=False),
            "f32_greedy_equal": bool((f32.argmax(-1)[len(prompt) - 1:-1] == logits.argmax(-1)[len(prompt) - 1:-1]).all()), "smallest_greedy_gap": number((top[:, 0] - top[:, 1]).min(), 4),
            "logprobs": numbers(logp[torch.arange(len(ids) - 1), torch.tensor(ids[1:])]), "last_prompt_logits": numbers(logits[len(prompt) - 1, LOGIT_IDS]), "last_logits": numbers(logits[-1, LOGIT_IDS]),
            "f32_logits_off_by": number((f32 - logits).abs().max(), 2),
            "f32_logprobs_off_by": number((torch.log_softmax(f32, -1) - logp)[torch.arange(len(ids) - 1), torch.tensor(ids[1:])].abs().max(), 2)})
        print(json.dumps({k: record["prompts"][-1][k] for k in ["name", "greedy_text", "f32_greedy_equal", "smallest_greedy_gap", "f32_logits_off_by"]}))
    write_json(HERE / "smollm2.json", record)


if __name__ == "__main__":
    torch.set_num_threads(2)
    main(*sys.argv[1:])
