"""Writes quantize.txt: what gguf-py makes of blocks of every type, and how it quantises.

Remake: python3.11 -m venv V && V/bin/pip install gguf && V/bin/python make_quantize_golden.py
Lines (bytes in hex, f32 as little-endian hex):
  decode TYPE BLOCKS VALUES
  encode TYPE VALUES BLOCKS
"""
import hashlib
import pathlib

import gguf
import numpy as np

TYPES = ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "IQ4_NL", "Q4_K", "Q5_K", "Q6_K"]
# Byte offsets of the f16 scales in a block: random bytes there could be infinite.
SCALES = {"Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "IQ4_NL": [0],
          "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}


def noise(name, n):
    out = b""
    while len(out) < n:
        out += hashlib.sha256(f"{name} {len(out)}".encode()).digest()
    return np.frombuffer(out[:n], dtype=np.uint8).copy()


def decode_case(name, blocks):
    kind = gguf.GGMLQuantizationType[name]
    size, length = gguf.GGML_QUANT_SIZES[kind]
    data = noise(name, blocks * length).reshape(blocks, length)
    for block in range(blocks):
        for offset in SCALES[name]:
            data[block, offset + 1] &= 0xBF  # below 2: never infinite, sometimes subnormal
    values = gguf.quants.dequantize(data.reshape(-1), kind).astype("<f4")
    return f"decode {name} {data.tobytes().hex()} {values.tobytes().hex()}"


def encode_case(name):
    kind = gguf.GGMLQuantizationType[name]
    raw = noise("values " + name, 4 * 96).view("<i4").astype(np.float32)
    values = raw / np.float32(2**31)
    values[32:64] *= np.float32(1e-3)
    values[64:96] = np.round(values[64:96] * 4) / 4  # ties and zeros
    blocks = gguf.quants.quantize(values, kind)
    return f"encode {name} {values.astype('<f4').tobytes().hex()} {blocks.tobytes().hex()}"


lines = [decode_case(name, 1 if name.endswith("K") else 3) for name in TYPES]
lines += [encode_case(name) for name in ["F16", "BF16", "Q8_0", "Q4_0", "Q4_1"]]
pathlib.Path(__file__).with_name("quantize.txt").write_text("\n".join(lines) + "\n")
