"""llama-cpp-python loads the F32 file that `hone model export` wrote: the same ids for each prompt, and the same greedy text for 20
prompts. llama.cpp keeps its keys and values in f16, so the two can part where two tokens are nearly as likely: each parting is printed
with Hone's own log-probabilities of both tokens, and one where these are not close fails."""
import json
import os
import subprocess
import urllib.request

import llama_cpp

URL, WORK, HONE, MODEL = (os.environ[name] for name in ("HONE_URL", "HONE_WORK", "HONE", "HONE_MODEL"))
TOKENS = 40
CLOSE = 0.05  # of log-probabilities; f16 keys and values move them by about a hundredth
QUESTIONS = [
    "What is the capital of France?", "Name three colours.", "Why is the sky blue?", "Write a short poem about rain.", "How do I boil an egg?",
    "What is 12 times 12?", "Tell me a joke.", "Who wrote Hamlet?", "Explain gravity to a child.", "List the days of the week.",
    "Translate 'good morning' to Spanish.", "What do bees make?", "Give me a name for a cat.", "How many legs has a spider?", "What is a prime number?",
]
TEXTS = ["Once upon a time", "The recipe needs two eggs,", "def add(a, b):", "In the year 1969", "Dear Sir or Madam,"]


def ask(path, body):
    request = urllib.request.Request(URL + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def greedy(llama, ids, ends):
    llama.reset()
    llama.eval(ids)
    out = []
    while len(out) < TOKENS:
        token = llama.sample(temp=0.0, top_k=1, repeat_penalty=1.0)
        if token in ends:
            break
        out.append(token)
        llama.eval([token])
    return out


def log_prob(name, ids, token):
    choice = ask("/v1/completions", {"model": name, "prompt": ids + [token], "max_tokens": 0, "echo": True, "logprobs": 0})["choices"][0]
    return choice["logprobs"]["token_logprobs"][-1]


def main():
    file = os.path.join(WORK, "exported.gguf")
    subprocess.run([HONE, "model", "export", MODEL, "--output", file, "--type", "F32", "--quiet"], check=True)
    llama = llama_cpp.Llama(file, n_ctx=512, n_threads=2, n_threads_batch=2, verbose=False)
    name = json.load(urllib.request.urlopen(URL + "/v1/models"))["data"][0]["id"]
    prompts = [ask("/apply-template", {"messages": [{"role": "user", "content": text}]})["prompt"] for text in QUESTIONS] + TEXTS
    same, unexplained = 0, 0
    for prompt in prompts:
        body = {"model": name, "prompt": prompt, "max_tokens": TOKENS, "temperature": 0, "return_token_ids": True}
        choice = ask("/v1/completions", body)["choices"][0]
        ids, ours = choice["prompt_token_ids"], choice["token_ids"]
        theirs_ids = llama.tokenize(prompt.encode(), add_bos=False, special=True)
        assert theirs_ids == ids, (prompt, ids, theirs_ids)
        if choice["finish_reason"] == "stop":
            ours = ours[:-1]
        theirs = greedy(llama, ids, {llama.token_eos(), ids[0]} if choice["finish_reason"] != "stop" else {llama.token_eos(), choice["token_ids"][-1]})
        if ours == theirs:
            same += 1
            continue
        at = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
        end = llama.token_eos()
        mine, other = (ours[at] if at < len(ours) else end), (theirs[at] if at < len(theirs) else end)
        gap = log_prob(name, ids + ours[:at], mine) - log_prob(name, ids + ours[:at], other)
        words = [llama.detokenize([token]).decode(errors="replace") for token in (mine, other)]
        explained = abs(gap) < CLOSE
        unexplained += not explained
        print(f"{prompt[-60:]!r}: part at token {at}: {words[0]!r} here, {words[1]!r} there, {gap:.4f} apart: "
              f"{'as likely as each other to f16 keys and values' if explained else 'NOT EXPLAINED'}")
    print(f"{same} of {len(prompts)} greedy texts are the same, {len(prompts) - same - unexplained} part where two tokens are as likely, {unexplained} are not explained")
    assert unexplained == 0
    assert same >= len(prompts) // 2, "too few are the same for a fair comparison"


main()
