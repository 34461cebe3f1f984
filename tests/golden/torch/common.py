"""Shared by the golden scripts: fixed weights, short numbers, JSON with one record a line."""
import hashlib
import json
import platform

import numpy as np
import torch


def hashed(name, shape):
    """Uniform numbers in [-1, 1) that depend on the name only: splitmix64 of an index, seeded by SHA-256 of the name."""
    seed = np.uint64(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little"))
    n = int(np.prod(shape))
    with np.errstate(over="ignore"):
        z = seed + (np.arange(n, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return ((z >> np.uint64(40)).astype(np.float64) / 2**23 - 1).astype(np.float32).reshape(shape)


def fixed_tokens(name, n, vocab):
    return [int((x + 1) / 2 * vocab) for x in hashed("tokens/" + name, (n,)).astype(np.float64)]


def number(x, digits=10):
    x = float(x.detach() if hasattr(x, "detach") else x)
    x = float(f"{x:.{digits}g}")
    return int(x) if x == int(x) and abs(x) < 1e15 else x


def numbers(a, digits=10):
    return [number(x, digits) for x in np.asarray(a, dtype=np.float64).reshape(-1)]


def sample_indices(size, count=4):
    """First, last and evenly spread flat indices (row-major)."""
    return sorted({(i * (size - 1)) // max(1, count - 1) for i in range(count)})


def summary(tensor):
    flat = tensor.detach().double().reshape(-1)
    at = sample_indices(flat.numel())
    return {"norm": number(flat.norm()), "at": at, "values": [number(flat[i]) for i in at]}


def summaries(named):
    return {name: summary(t) for name, t in sorted(named)}


def versions():
    import peft
    import transformers
    import trl
    return {"python": platform.python_version(), "torch": torch.__version__, "transformers": transformers.__version__, "peft": peft.__version__, "trl": trl.__version__,
            "numpy": np.__version__}


def write_json(path, record):
    """Top level and second level one key a line: small and still readable in a diff."""
    def compact(v):
        return json.dumps(v, separators=(",", ":"))
    lines = []
    for key, value in record.items():
        if isinstance(value, dict) and len(value) > 1:
            inner = ",\n".join(f"    {json.dumps(k)}: {compact(v)}" for k, v in value.items())
            lines.append(f"  {json.dumps(key)}: {{\n{inner}\n  }}")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            lines.append(f"  {json.dumps(key)}: [\n" + ",\n".join("    " + compact(v) for v in value) + "\n  ]")
        else:
            lines.append(f"  {json.dumps(key)}: {compact(value)}")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
