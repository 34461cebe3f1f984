"""The bars of serving: `hone serve` against llama-server, interleaved in one run on the same cores, the same GGUF models and prompts.

    python3 bench/peers/serve_bars.py --hone build/release/hone --llama B/bin/llama-server --models DIR --output serve.json [--rows chats-32-q4,prefix] [--list]

Every row takes less than 100 s (--seconds lowers that) and is saved when it is done: the next call goes on with the rows that are missing, --again
measures them anew, --rounds 0 only prints. Standard library only; the rows piqa-* need interpreters with lm-eval (--lm-eval: with lm_eval[api]; --lm-eval-hf: with
torch and transformers too, and --hf, the model's folder) and $HONE_SHARED_DATA.

Chats: prompts of 45 +- 5 tokens that share nothing but the template's beginning, 64 new tokens, temperature 0, context for 32 x 512 positions, streamed; the clock of a
first token starts when its request is sent. Clients are one process with one socket a chat, pinned to the servers' cores.
"""
import argparse
import ctypes
import http.client
import json
import os
import pathlib
import random
import re
import selectors
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

NEW_TOKENS = 64
WORDS = "river stone window garden music letter winter paper silver engine market forest doctor island morning bridge summer kitchen mountain yellow".split()
SERVERS = {"hone-f32": ("hone", "F32"), "hone-q4": ("hone", "Q4_1"), "llama-f32": ("llama", "F32"), "llama-q8": ("llama", "Q8_0"), "llama-q4": ("llama", "Q4_1")}
FIRST_CONTENT = re.compile(rb'"content":"[^"]')
USED = re.compile(rb'"completion_tokens":(\d+)')


def pinned(cores):
    """What a child does first: keeps to these cores, and goes when this process goes."""
    libc = ctypes.CDLL(None)

    def first():
        os.sched_setaffinity(0, cores)
        libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    return first


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, o, name):
        self.name, self.kind = name, SERVERS[name][0]
        self.model = f"{o.models}/{o.name}.{SERVERS[name][1]}.gguf"
        self.folder = tempfile.mkdtemp(prefix="serve_bars_")
        self.port = free_port()
        threads = str(len(o.cores))
        if self.kind == "hone":
            command = [o.hone, "serve", "--model", self.model, "--no-auth", "--quiet", "--data-dir", f"{self.folder}/data", "--listen", f"127.0.0.1:{self.port}",
                       "--threads", threads, "--parallel", "32", "--context-tokens", str(32 * 512), *o.hone_args.split()]
        else:
            command = [o.llama, "-m", self.model, "-t", threads, "-tb", threads, "-c", str(32 * 512), "-np", "32", "--host", "127.0.0.1", "--port", str(self.port), *o.llama_args.split()]
        began = time.monotonic()
        with open(f"{self.folder}/log", "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=pinned(o.cores))
        while True:
            if self.process.poll() is not None:
                raise SystemExit(f"{command}: exit {self.process.returncode}\n" + pathlib.Path(f"{self.folder}/log").read_text(errors="replace")[-2000:])
            try:
                if self.get("/health").status == 200:
                    break
            except OSError:
                pass
            if time.monotonic() - began > 60:
                raise SystemExit(f"{name} is not ready after 60 s")
            time.sleep(0.002)
        self.ready_s = time.monotonic() - began

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.text = answer.read().decode()
            return answer
        finally:
            connection.close()

    def memory_mb(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return {key: round(int(re.search(rf"{field}:\s+(\d+)", text)[1]) * 1024 / 1e6, 1)
                for key, field in {"resident": "VmRSS", "peak": "VmHWM", "anonymous": "RssAnon"}.items()}

    def metric(self, name):
        return float(re.search(rf"^{name} (\S+)", self.get("/metrics").text, re.MULTILINE)[1])

    def end(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Servers:
    """Several at once; who is not asked sleeps."""
    def __init__(self, o, names):
        self.o, self.names, self.all = o, names, {}

    def __enter__(self):
        for name in self.names:
            self.all[name] = Server(self.o, name)
        for server in self.all.values():
            burst(server, prompts(8, "warm " + server.name))
        return self.all

    def __exit__(self, *_):
        for server in self.all.values():
            server.end()


def prompts(count, seed):
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(10, 18))) for _ in range(count)]


def request_of(server, path, body):
    data = json.dumps(body).encode()
    return (f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n").encode() + data


def chat_body(server, text, new_tokens):
    return {"model": pathlib.Path(server.model).stem if server.kind == "hone" else "x", "messages": [{"role": "user", "content": text}], "temperature": 0, "max_tokens": new_tokens,
            "ignore_eos": True, "stream": True, "stream_options": {"include_usage": True}}


def burst(server, texts, new_tokens=NEW_TOKENS):
    """All at once, to the end. {tokens, seconds, first: [s, ..]}"""
    selector = selectors.DefaultSelector()
    chats = []
    for text in texts:
        client = socket.create_connection(("127.0.0.1", server.port))
        chats.append({"socket": client, "request": request_of(server, "/v1/chat/completions", chat_body(server, text, new_tokens)), "in": b"", "first": None})
    began = time.monotonic()
    for chat in chats:
        chat["sent"] = time.monotonic()
        chat["socket"].sendall(chat["request"])
        chat["socket"].setblocking(False)
        selector.register(chat["socket"], selectors.EVENT_READ, chat)
    left, tokens = len(chats), 0
    while left > 0:
        ready = selector.select(timeout=120)
        if not ready:
            raise SystemExit(f"{server.name} says nothing for 120 s")
        now = time.monotonic()
        for key, _ in ready:
            chat = key.data
            data = chat["socket"].recv(1 << 16)
            chat["in"] += data
            if chat["first"] is None and FIRST_CONTENT.search(chat["in"]):
                chat["first"] = now - chat["sent"]
            if b"data: [DONE]" in data or b"data: [DONE]" in chat["in"][-256:] or not data:
                selector.unregister(chat["socket"])
                chat["socket"].close()
                used = USED.findall(chat["in"])
                if not used or chat["first"] is None:
                    raise SystemExit(f"{server.name}: {chat['in'][-2000:]!r}")
                tokens += int(used[-1])
                left -= 1
    return {"tokens": tokens, "seconds": time.monotonic() - began, "first": [chat["first"] for chat in chats]}


def whole_answer(connection):
    """The body of an answer with Content-Length; nothing more is done with it, so that the client's own time stays small."""
    data = b""
    while True:
        data += connection.recv(1 << 16)
        head = data.find(b"\r\n\r\n")
        if head < 0:
            continue
        length = int(re.search(rb"content-length: (\d+)", data[:head], re.IGNORECASE)[1])
        if len(data) >= head + 4 + length:
            return data[head + 4:]


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * (len(values) - 1) + 0.5))]


class Clock:
    """Whether another round fits into the row's time."""
    def __init__(self, o):
        self.o, self.began, self.round_s, self.rounds, self.last = o, time.monotonic(), 0.0, 0, time.monotonic()

    def again(self):
        now = time.monotonic()
        if self.rounds:
            self.round_s = max(self.round_s, now - self.last)
        self.last = now
        if self.rounds >= self.o.rounds or (self.rounds and now + self.round_s - self.began > self.o.seconds):
            return False
        self.rounds += 1
        return True


def row_chats(o, count, names):
    result = {name: {"rates": [], "first": []} for name in names}
    with Servers(o, names) as servers:
        clock = Clock(o)
        while clock.again():
            for name, server in servers.items():
                for part in range(4 if count == 1 else 1):
                    got = burst(server, prompts(count, f"{clock.rounds} {count} {part}"))
                    result[name]["rates"].append(round(got["tokens"] / got["seconds"], 1))
                    result[name]["first"] += [round(s, 4) for s in got["first"]]
        for name, server in servers.items():
            one = result[name]
            one.update(tokens_per_s=statistics.median(one["rates"]), best=max(one["rates"]), first_p50=quantile(one["first"], 0.5), first_p99=quantile(one["first"], 0.99),
                       memory_mb=server.memory_mb())
            del one["first"]
    return result


def row_neighbour(o, names):
    """One and eight chats of 16 tokens, quiet and beside a process that only computes."""
    result = {name: {"quiet": [], "busy": []} for name in names}
    with Servers(o, names) as servers:
        clock = Clock(o)
        while clock.again():
            for name, server in servers.items():
                for what in ("quiet", "busy"):
                    neighbour = None
                    if what == "busy":
                        neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"], preexec_fn=pinned([o.cores[-1]]))
                        time.sleep(0.2)
                    try:
                        got = burst(server, prompts(8, f"neighbour {clock.rounds}"), 16)
                        result[name][what].append(round(got["tokens"] / got["seconds"], 1))
                    finally:
                        if neighbour:
                            neighbour.kill()
                            neighbour.wait()
    for one in result.values():
        one["slower"] = round(statistics.median(one["quiet"]) / statistics.median(one["busy"]), 2)
    return result


def row_prefix(o, names):
    """Two requests after the same 400 tokens, one new token each: the first cold, the second shares the prefix."""
    result = {name: {"cold": [], "shared": []} for name in names}
    with Servers(o, names) as servers:
        clock = Clock(o)
        while clock.again():
            for name, server in servers.items():
                rng = random.Random(f"prefix {clock.rounds}")
                stem = " ".join(rng.choices(WORDS, k=400))
                for what, end in (("cold", "What is it?"), ("shared", "And why?")):
                    result[name][what] += [round(s, 4) for s in burst(server, [f"{stem} {end}"], 1)["first"]]
    for one in result.values():
        one["sooner"] = round(statistics.median(one["cold"]) / statistics.median(one["shared"]), 2)
    return result


def row_start(o, names):
    result = {name: {"ready": [], "memory_mb": None} for name in names}
    for name in names:  # into the page cache
        pathlib.Path(f"{o.models}/{o.name}.{SERVERS[name][1]}.gguf").read_bytes()
    clock = Clock(o)
    while clock.again():
        for name in names:
            server = Server(o, name)
            result[name]["ready"].append(round(server.ready_s, 3))
            result[name]["memory_mb"] = server.memory_mb()
            server.end()
    for one in result.values():
        one["ready_s"] = statistics.median(one["ready"])
    return result


def row_memory(o, names):
    """Resident: ready, after a burst of 32 chats, after three more with other prompts."""
    result = {name: {} for name in names}
    for name in names:
        server = Server(o, name)
        result[name]["ready"] = server.memory_mb()
        burst(server, prompts(32, "memory 0"))
        result[name]["after 32 chats"] = server.memory_mb()
        for again in range(3):
            burst(server, prompts(32, f"memory {again + 1}"), 32)
        result[name]["after 128 chats"] = server.memory_mb()
        server.end()
    return result


def row_idle(o, names):
    """1,000 keep-alive connections that have asked once and wait."""
    result = {}
    for name in names:
        server = Server(o, name)
        burst(server, prompts(1, "idle"), 4)
        before = server.memory_mb()["resident"]
        sockets = []
        for _ in range(1000):
            client = socket.create_connection(("127.0.0.1", server.port))
            client.sendall(f"GET /health HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode())
            client.recv(4096)
            sockets.append(client)
        during = server.memory_mb()["resident"]
        open_after = 0
        for client in sockets:
            client.setblocking(False)
            try:
                open_after += client.recv(1) != b""
            except BlockingIOError:
                open_after += 1
            client.close()
        result[name] = {"before_mb": before, "with_1000_mb": during, "kb_each": round((during - before) * 1e3 / 1000, 2), "kept_open": open_after}
        server.end()
    return result


def row_http(o, names):
    """A request for one token after one token, over one connection: the client's time less the time that the server says it spent in the model."""
    result = {name: {"cost_ms": [], "whole_ms": []} for name in names}
    with Servers(o, names) as servers:
        clock = Clock(o)
        while clock.again():
            for name, server in servers.items():
                body = {"model": chat_body(server, "", 1)["model"], "prompt": "a", "max_tokens": 1, "temperature": 0, "cache_prompt": False}
                request = request_of(server, "/v1/completions", body)
                connection = socket.create_connection(("127.0.0.1", server.port))
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                answers, count = [], 100
                busy = server.metric("hone_serve_busy_seconds_total") if server.kind == "hone" else 0
                began = time.monotonic()
                for _ in range(count):
                    connection.sendall(request)
                    answers.append(whole_answer(connection))
                whole_ms = (time.monotonic() - began) * 1e3
                if server.kind == "hone":
                    in_model_ms = (server.metric("hone_serve_busy_seconds_total") - busy) * 1e3
                else:
                    timings = [json.loads(answer)["timings"] for answer in answers]
                    in_model_ms = sum(each["prompt_ms"] + each["predicted_ms"] for each in timings)
                connection.close()
                result[name]["whole_ms"].append(round(whole_ms / count, 3))
                result[name]["cost_ms"].append(round((whole_ms - in_model_ms) / count, 3))
    for one in result.values():
        one["median_cost_ms"] = statistics.median(one["cost_ms"])
    return result


PIQA = r"""
import json, os, sys, time
import lm_eval
work, items, model, arguments = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
data = os.environ["HONE_SHARED_DATA"]
rows = [json.loads(line) for line in open(data + "/piqa/valid.jsonl", encoding="utf-8") if line.strip()][:items]
for row, label in zip(rows, open(data + "/piqa/valid-labels.lst", encoding="utf-8")):
    row["label"] = int(label)
path = work + "/piqa.jsonl"
with open(path, "w", encoding="utf-8") as file:
    file.writelines(json.dumps(row) + "\n" for row in rows)
task = {"task": "piqa_local", "doc_to_text": "Question: {{goal}}\nAnswer:", "doc_to_target": "label", "doc_to_choice": "{{[sol1, sol2]}}", "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"validation": path}}, "validation_split": "validation", "test_split": "validation", "output_type": "multiple_choice",
        "metric_list": [{"metric": "acc"}], "target_delimiter": " "}
from lm_eval.api.registry import get_model
batch = int(sys.argv[5])
lm = get_model(model).create_from_arg_string(arguments, {"batch_size": batch, "max_batch_size": None, "device": "cpu"})
clock = {}
inner = lm.loglikelihood
def timed(requests, *a, **k):
    begin = time.monotonic()
    out = inner(requests, *a, **k)
    clock.update(seconds=time.monotonic() - begin, requests=len(requests))
    return out
lm.loglikelihood = timed
results = lm_eval.simple_evaluate(model=lm, tasks=[task], bootstrap_iters=0)
print("RESULT", json.dumps({**clock, "acc": results["results"]["piqa_local"]["acc,none"], "rate": clock["requests"] / clock["seconds"]}))
"""


def lm_eval(o, python, items, model, arguments, batch):
    if not python or "HONE_SHARED_DATA" not in os.environ:
        raise SystemExit("the rows piqa-* need --lm-eval or --lm-eval-hf, and HONE_SHARED_DATA")
    with tempfile.TemporaryDirectory() as work:
        environment = {**os.environ, "HF_HOME": f"{work}/hf", "HF_DATASETS_OFFLINE": "1", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": str(len(o.cores)), "TOKENIZERS_PARALLELISM": "false"}
        done = subprocess.run([python, "-c", PIQA, work, str(items), model, arguments, str(batch)], env=environment, capture_output=True, text=True,
                              preexec_fn=pinned(o.cores), check=False)
        for line in done.stdout.splitlines():
            if line.startswith("RESULT "):
                return {key: round(value, 3) for key, value in json.loads(line[7:]).items()}
        raise SystemExit(f"lm-eval failed:\n{done.stdout[-1000:]}\n{done.stderr[-3000:]}")


def row_piqa_hone(o, kind):
    server = Server(o, kind)
    try:
        name = pathlib.Path(server.model).stem
        arguments = f"model={name},base_url=http://127.0.0.1:{server.port}/v1/completions,num_concurrent=4,max_retries=1"
        return {kind: lm_eval(o, o.lm_eval, 200, "local-completions", arguments, 1)}
    finally:
        server.end()


def row_piqa_hf(o, batch):
    return {f"transformers, batch {batch}": lm_eval(o, o.lm_eval_hf, 200, "hf", f"pretrained={o.hf},dtype=float32", batch)}


F32, Q4 = ["hone-f32", "llama-f32"], ["hone-q4", "llama-q8", "llama-q4"]
ROWS = {f"chats-{n}-f32": (lambda o, n=n: row_chats(o, n, F32)) for n in (1, 8, 32)}
ROWS.update({f"chats-{n}-q4": (lambda o, n=n: row_chats(o, n, Q4)) for n in (1, 8, 32)})
ROWS.update({"prefix": lambda o: row_prefix(o, ["hone-q4", "llama-q4"]), "start": lambda o: row_start(o, ["hone-q4", "llama-q4", "hone-f32", "llama-f32"]),
             "memory": lambda o: row_memory(o, ["hone-q4", "llama-q4"]), "memory-f32": lambda o: row_memory(o, F32), "idle": lambda o: row_idle(o, ["hone-q4", "llama-q4"]),
             "http": lambda o: row_http(o, ["hone-q4", "llama-q4"]), "neighbour": lambda o: row_neighbour(o, ["hone-q4", "llama-q8"]),
             "piqa-hone-q4": lambda o: row_piqa_hone(o, "hone-q4"), "piqa-hone-f32": lambda o: row_piqa_hone(o, "hone-f32"), "piqa-hf-16": lambda o: row_piqa_hf(o, 16), "piqa-hf-1": lambda o: row_piqa_hf(o, 1)})


def table(rows):
    """[(what, Hone's, the peer's, ratio or value, bar, stretch, met)]"""
    out = []

    def ratio(what, ours, theirs, bar, stretch):
        value = ours / theirs
        out.append((what, f"{ours:g}", f"{theirs:g}", f"{value:.2f}x", f"{bar}x", f"{stretch}x", "stretch" if value >= stretch else "yes" if value >= bar else "NO"))

    def at_most(what, ours, theirs, bar, stretch):
        out.append((what, f"{ours:g}", f"{theirs:g}" if theirs is not None else "-", f"{ours:g}", f"<= {bar}", f"<= {stretch}" if stretch else "-",
                    "stretch" if stretch and ours <= stretch else "yes" if ours <= bar else "NO"))

    for kind, bars in (("f32", {1: (1.0, 1.1), 8: (1.4, 1.6), 32: (1.4, 1.7)}), ("q4", {1: (1.5, 2), 8: (1.4, 1.7), 32: (1.5, 1.8)})):
        for n, (bar, stretch) in bars.items():
            row = rows.get(f"chats-{n}-{kind}")
            if row:
                ours = row[f"hone-{kind}"]["tokens_per_s"]
                for peer in (each for each in row if each.startswith("llama")):
                    ratio(f"{n} chats, tokens/s, {kind} against {peer}", ours, row[peer]["tokens_per_s"], bar, stretch)
    for n, p50, p99 in ((1, (0.08, 0.06), None), (8, (0.35, 0.3), (0.6, 0.55)), (32, (1.1, 1.0), (2.2, 2.0))):
        row = rows.get(f"chats-{n}-q4")
        if row:
            at_most(f"first token at {n}, p50, s", row["hone-q4"]["first_p50"], row["llama-q8"]["first_p50"], *p50)
            if p99:
                at_most(f"first token at {n}, p99, s", row["hone-q4"]["first_p99"], row["llama-q8"]["first_p99"], *p99)
    if "prefix" in rows:
        row = rows["prefix"]
        out.append(("shared prefix of 400, sooner than cold", f"{row['hone-q4']['sooner']}x", f"{row['llama-q4']['sooner']}x", f"{row['hone-q4']['sooner']}x", "5x", "10x",
                    "stretch" if row["hone-q4"]["sooner"] >= 10 else "yes" if row["hone-q4"]["sooner"] >= 5 else "NO"))
    if "start" in rows:
        at_most("start to ready, s, Q4_1", rows["start"]["hone-q4"]["ready_s"], rows["start"]["llama-q4"]["ready_s"], 0.5, 0.2)
    if "memory" in rows:
        for when in rows["memory"]["hone-q4"]:
            at_most(f"resident MB, Q4_1, {when}", rows["memory"]["hone-q4"][when]["resident"], rows["memory"]["llama-q4"][when]["resident"], 400, 250)
    if "idle" in rows:
        at_most("1,000 idle connections, KB each", rows["idle"]["hone-q4"]["kb_each"], rows["idle"]["llama-q4"]["kb_each"], 10, None)
    if "http" in rows:
        at_most("HTTP cost of a 1-token answer, ms", rows["http"]["hone-q4"]["median_cost_ms"], rows["http"]["llama-q4"]["median_cost_ms"], 0.3, None)
    if "neighbour" in rows:
        at_most("slower beside a busy process, times", rows["neighbour"]["hone-q4"]["slower"], rows["neighbour"]["llama-q8"]["slower"], 1.8, 1.5)
    for kind in ("q4", "f32"):
        for batch, bar, stretch in ((16, 1.5, 2.5), (1, 3, 5)):
            ours, theirs = rows.get(f"piqa-hone-{kind}"), rows.get(f"piqa-hf-{batch}")
            if ours and theirs:
                ratio(f"PIQA requests/s, {kind} against transformers f32 batch {batch}", ours[f"hone-{kind}"]["rate"], theirs[f"transformers, batch {batch}"]["rate"], bar, stretch)
    return out


def show(rows):
    lines = [("work", "Hone", "peer", "ratio or value", "bar", "stretch", "met"), *table(rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(7)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip(), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hone", default="build/release/hone")
    parser.add_argument("--llama", default="llama-server")
    parser.add_argument("--models", default="models", help="folder of NAME.TYPE.gguf files")
    parser.add_argument("--name", default="SmolLM2-135M-Instruct")
    parser.add_argument("--output", default="serve_bars.json")
    parser.add_argument("--rows", help="comma-separated; default: all that are missing")
    parser.add_argument("--again", action="store_true", help="measure rows that were saved before, too")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=75, help="no new round of a row after so long")
    parser.add_argument("--cores", default="0,1", type=lambda text: [int(core) for core in text.split(",")])
    parser.add_argument("--hone-args", default="")
    parser.add_argument("--llama-args", default="")
    parser.add_argument("--lm-eval", help="a python with lm_eval[api]")
    parser.add_argument("--lm-eval-hf", help="a python with lm_eval, torch and transformers")
    parser.add_argument("--hf", help="the model's Hugging Face folder")
    o = parser.parse_args()
    if o.list:
        return print("\n".join(ROWS))
    path = pathlib.Path(o.output)
    rows = json.loads(path.read_text()) if path.exists() else {}
    os.sched_setaffinity(0, o.cores)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    for name in o.rows.split(",") if o.rows else ROWS:
        if name not in ROWS:
            raise SystemExit(f"no row is called {name}: --list names them")
        if o.rounds == 0 or (name in rows and not o.again):
            continue
        began = time.monotonic()
        rows[name] = ROWS[name](o)
        rows[name]["took_s"] = round(time.monotonic() - began, 1)
        rows[name]["at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        path.write_text(json.dumps(rows, indent=1))
        print(name, json.dumps(rows[name]), flush=True)
    show(rows)


if __name__ == "__main__":
    main()
