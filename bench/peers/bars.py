"""Hone beside its peers in one run: every row alternates Hone and peer for some rounds, so that both see the same machine, and prints the ratio of the medians and of the bests. See README.md.

Run: python bars.py --hone build/release/hone --bin B/bin --models DIR --hf HF --python V/bin/python [--rows decode,batched,prefill,score,train,dpo] [--rounds 3] [--wrap CMD] --output FILE.json
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

KINDS = ["F32", "F16", "Q8_0", "Q4_1", "Q4_0"]
TRAIN = ["full-1x512", "full-8x128", "full-4x512", "lora-1x512", "lora-8x128"]
HERE = pathlib.Path(__file__).resolve().parent
NAME = "SmolLM2-135M-Instruct"
# what: (bar, stretch), as a ratio to the peer that the issue names
BARS = {
    "prefill Q4_1 / llama.cpp Q4_1": (2.4, None), "prefill Q4_1 / llama.cpp best": (1.1, 1.2),
    "decode@0 F32": (0.97, 1.0), "decode@0 F16": (1.05, 1.15), "decode@0 Q8_0": (1.2, 1.35), "decode@0 Q4_1": (1.2, 1.4),
    "decode@512 F32": (1.1, 1.25), "decode@512 F16": (1.25, 1.4), "decode@512 Q8_0": (1.5, 1.8), "decode@512 Q4_1": (1.5, 1.8),
    "decode x8 F32 / its F32": (1.4, 1.6), "decode x32 F32 / its F32": (1.35, 1.5), "decode x8 Q4_1 / its best": (1.4, 1.7), "decode x32 Q4_1 / its best": (1.4, 1.7),
    "score F32 / llama-perplexity F32": (1.35, 1.5), "score F32 / transformers": (1.35, 1.5),
    "train full 1x512": (1.35, 1.5), "train full 8x128": (1.15, 1.25), "train full 4x512": (1.3, 1.45),
    "dpo LoRA r16, pairs/s": (3.5, 5.0),
    "train LoRA r16 1x512": (1.6, 1.9), "train LoRA r16 8x128": (1.45, 1.6),
}
HONE_ROWS = {"prefill 512": "prefill", "decode 64, 1 sequence at 0": "decode@0", "decode 64, 1 sequence at 512": "decode@512", "decode 64, 8 sequences at 0": "decode x8",
             "decode 16, 32 sequences at 0": "decode x32", "score 512": "score"}


class Run:
    def __init__(self, options):
        self.o = options
        self.seen = {}  # row -> tokens/s, one a round
        self.shares = {}  # Hone's row -> [(share of multiply-adds, share of reading)]
        self.peaks = {}  # row -> peak resident MB, one a round
        self.ceilings = []

    def call(self, *command):
        wrapped = (self.o.wrap.split() if self.o.wrap else []) + [str(c) for c in command]
        done = subprocess.run(wrapped, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(wrapped)}: exit {done.returncode}\n{(done.stdout + done.stderr)[-2000:]}")
        return done.stdout

    def note(self, row, value):
        self.seen.setdefault(row, []).append(value)

    def model(self, kind):
        return f"{self.o.models}/{NAME}.{kind}.gguf"

    def hone(self, what, kind, only=""):
        report = json.loads(self.call(self.o.hone, "bench", what, "--model", self.model(kind), "--json", "--quiet", "--repeats", self.o.repeats, *(["--only", only] if only else [])))
        self.ceilings.append((report["ceiling_flops"], report["ceiling_read_bytes_per_second"]))
        for row in report["rows"]:
            name = row["name"] if what == "train" else f"{HONE_ROWS[row['name']]} {kind}"
            self.note("hone " + name, row["tokens_per_second"])
            self.shares.setdefault(name, []).append((row["share_of_flops"], row["share_of_read"]))

    def llama_bench(self, kind, prompt, generate, depth, row):
        out = self.call(f"{self.o.bin}/llama-bench", "-m", self.model(kind), "-t", 2, "-p", prompt, "-n", generate, "-d", depth, "-r", 2, "-o", "jsonl")
        for line in out.splitlines():
            if line.startswith("{"):
                self.note(f"llama.cpp {row} {kind}", max(json.loads(line)["samples_ts"]))

    def llama_batched(self, kind):
        out = self.call(f"{self.o.bin}/llama-batched-bench", "-m", self.model(kind), "-t", 2, "-c", 4096, "-b", 2048, "-ub", 512, "-npp", 16, "-ntg", 32, "-npl", "8,32", "--output-format", "jsonl")
        for line in out.splitlines():
            if line.startswith("{"):
                r = json.loads(line)
                self.note(f"llama.cpp decode x{r['pl']} {kind}", r["speed_tg"])

    def peer_script(self, script, *arguments):
        return [json.loads(line) for line in self.call(self.o.python, HERE / script, *arguments).splitlines() if line.startswith('{"')]  # TRL prints Python's dicts too

    def decode_row(self, kind):
        self.hone("decode", kind, "1 sequence")
        self.llama_bench(kind, 0, 64, 0, "decode@0")
        self.llama_bench(kind, 0, 64, 512, "decode@512")

    def batched_row(self, kind):
        self.hone("decode", kind, "sequences")
        self.llama_batched(kind)

    def prefill_row(self, kind):
        self.hone("prefill", kind)
        self.llama_bench(kind, 512, 0, 0, "prefill")

    def score_row(self):
        self.hone("score", "F32")
        [r] = self.peer_script("llama_cpp.py", "--bin", self.o.bin, "--models", self.o.models, "--types", "F32", "--work", "score", "--text", self.o.text)
        self.note("llama.cpp score F32", r["tokens_per_s"])
        [r] = self.peer_script("torch_train.py", "--model", self.o.hf, "--work", "score-1x512", "--steps", 3)
        self.note("transformers score", r["tokens_per_s"])

    def train_row(self, work):
        kind, shape = work.split("-")
        row = f"train {'LoRA r16' if kind == 'lora' else kind} {shape}"
        self.hone("train", "Q4_1", row.removeprefix("train "))
        [r] = self.peer_script("torch_train.py", "--model", self.o.hf, "--work", work, "--steps", 2)
        self.note("transformers " + row, r["tokens_per_s"])
        self.peaks.setdefault("transformers " + row, []).append(r["peak_mb"])

    def dpo_row(self):
        """Both read the same pairs; a step of each costs seconds, so few steps. TRL's step holds its reference's forward, Hone's time does too."""
        [r] = self.peer_script("../hone_dpo.py", "--hone", self.o.hone, "--model", self.model("Q4_1"), "--steps", 2)
        self.note("hone dpo", r["pairs_per_s"])
        self.peaks.setdefault("hone dpo", []).append(r["peak_mb"])
        r = self.peer_script("trl_dpo.py", "--model", self.o.hf, "--steps", 2)[-1]
        self.note("TRL dpo", r["pairs_per_s"])
        self.peaks.setdefault("TRL dpo", []).append(r["peak_mb"])

    def items(self):
        """The measurements of one round, by row."""
        every = {"decode": [lambda k=k: self.decode_row(k) for k in KINDS[:4]], "batched": [lambda k=k: self.batched_row(k) for k in KINDS[:4]],
                 "prefill": [lambda k=k: self.prefill_row(k) for k in KINDS], "score": [self.score_row], "dpo": [self.dpo_row]}
        every |= {work: [lambda w=work: self.train_row(w)] for work in TRAIN}
        every["train"] = [item for work in TRAIN for item in every[work]]
        return [item for row in self.o.rows.split(",") for item in every[row]]

    def save(self):
        kept = {"seen": self.seen, "shares": self.shares, "peaks": self.peaks, "ceilings": self.ceilings}
        pathlib.Path(self.o.output).write_text(json.dumps(kept, indent=1))

    def take(self, path):
        """Adds what another run has saved: rows measured in other windows."""
        other = json.loads(pathlib.Path(path).read_text())
        for mine, theirs in [(self.seen, other["seen"]), (self.shares, other["shares"]), (self.peaks, other["peaks"])]:
            for row, values in theirs.items():
                mine.setdefault(row, []).extend(values)
        self.ceilings += other["ceilings"]

    def report(self):
        """(row, Hone's row, peer's row) of all that was measured."""
        pairs = []

        def pair(name, hone, peers):
            peers = [p for p in peers if p in self.seen]
            if "hone " + hone in self.seen and peers:
                pairs.append((name, hone, max(peers, key=lambda p: statistics.median(self.seen[p]))))

        every = KINDS
        pair("prefill Q4_1 / llama.cpp Q4_1", "prefill Q4_1", ["llama.cpp prefill Q4_1"])
        pair("prefill Q4_1 / llama.cpp best", "prefill Q4_1", [f"llama.cpp prefill {k}" for k in every])
        for at in ["decode@0", "decode@512"]:
            for kind in every[:4]:
                pair(f"{at} {kind}", f"{at} {kind}", [f"llama.cpp {at} {kind}"])
        for many in ["x8", "x32"]:
            pair(f"decode {many} F32 / its F32", f"decode {many} F32", [f"llama.cpp decode {many} F32"])
            pair(f"decode {many} Q4_1 / its best", f"decode {many} Q4_1", [f"llama.cpp decode {many} {k}" for k in every])
        pair("score F32 / llama-perplexity F32", "score F32", ["llama.cpp score F32"])
        pair("score F32 / transformers", "score F32", ["transformers score"])
        for row in ["train full 1x512", "train full 8x128", "train full 4x512", "train LoRA r16 1x512", "train LoRA r16 8x128"]:
            pair(row, row, ["transformers " + row])
        pair("dpo LoRA r16, pairs/s", "dpo", ["TRL dpo"])
        head = "Medians; in brackets the best; shares of the ceiling of the same minute."
        if self.ceilings:
            flops, read = (statistics.median(c) for c in zip(*self.ceilings))
            head = f"Ceiling (median over the run): {flops / 1e9:.0f} GFLOP/s of multiply-adds, {read / 1e9:.1f} GB/s of reading. {head}"
        lines = [head, "",
                 "| row | rounds | Hone tokens/s | peer tokens/s | ratio (of the bests) | bar | stretch | of peak | of reading |", "|---|---|---|---|---|---|---|---|---|"]
        for name, hone, peer in pairs:
            h, p = self.seen["hone " + hone], self.seen[peer]
            bar, stretch = BARS[name]
            share = [statistics.median(s) if None not in s else None for s in zip(*self.shares.get(hone, [(None, None)]))]
            percent = ["" if s is None else f"{100 * s:.0f} %" for s in share]
            ratio = statistics.median(h) / statistics.median(p)
            mark = "" if ratio >= bar else " **below**"
            digits = 2 if hone == "dpo" else 1
            lines.append(f"| {name} | {len(h)} | {statistics.median(h):.{digits}f} ({max(h):.{digits}f}) | {peer}: {statistics.median(p):.{digits}f} ({max(p):.{digits}f}) | {ratio:.2f} ({max(h) / max(p):.2f}){mark} | {bar} | {stretch or '-'} "
                         f"| {percent[0]} | {percent[1]} |")
        if self.peaks:
            lines += ["", "Peak resident MB: " + "; ".join(f"{row} {max(values)}" for row, values in self.peaks.items())]
        return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hone", required=True)
    parser.add_argument("--bin", required=True, help="folder of llama-bench, llama-batched-bench, llama-perplexity")
    parser.add_argument("--models", required=True, help=f"folder of {NAME}.TYPE.gguf files")
    parser.add_argument("--hf", required=True, help="the same model as a Hugging Face directory, float32")
    parser.add_argument("--python", default=sys.executable, help="a Python that has torch, transformers and peft")
    parser.add_argument("--text", help="a plain text of at least 1,600 tokens, for score")
    parser.add_argument("--rows", default="decode,batched,prefill,score,train,dpo", help="also one of " + ", ".join(TRAIN))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=2, help="of Hone's bench in each round")
    parser.add_argument("--wrap", default="", help="a command to put before each measurement")
    parser.add_argument("--take", nargs="*", default=[], help="--output files of earlier runs: their rows join the report")
    parser.add_argument("--output", required=True)
    o = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    run = Run(o)
    for number in range(o.rounds):
        for item in run.items():
            item()
            run.save()  # a run that is cut off keeps what it has
        print(f"round {number + 1} of {o.rounds}", file=sys.stderr, flush=True)
    for path in o.take:
        run.take(path)
    print(run.report())
