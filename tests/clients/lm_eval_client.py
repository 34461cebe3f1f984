"""lm-evaluation-harness, unmodified, with the server's own tokenizer: its log-likelihoods of PIQA and
OpenBookQA items are those of `hone score`, number for number. $HONE_ITEMS: items of each task (100)."""
import json
import os
import subprocess
import sys
import time
import urllib.request

import lm_eval

URL = os.environ["HONE_URL"]
WORK = os.environ["HONE_WORK"]
DATA = os.environ["HONE_SHARED_DATA"]
ITEMS = int(os.environ.get("HONE_ITEMS", "100"))


def ask(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def write_lines(name, rows):
    path = os.path.join(WORK, name)
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return path


def piqa():
    rows = lines(os.path.join(DATA, "piqa", "valid.jsonl"))[:ITEMS]
    with open(os.path.join(DATA, "piqa", "valid-labels.lst"), encoding="utf-8") as file:
        labels = [int(line) for line in file if line.strip()]
    for row, label in zip(rows, labels):
        row["label"] = label
    return {
        "task": "hone_piqa", "doc_to_text": "Question: {{goal}}\nAnswer:",
        "doc_to_target": "label", "doc_to_choice": "{{[sol1, sol2]}}",
    }, write_lines("piqa.jsonl", rows)


def openbookqa():
    rows = lines(os.path.join(DATA, "openbookqa", "openbook_qa.jsonl"))[:ITEMS]
    return {
        "task": "hone_openbookqa", "doc_to_text": "query", "doc_to_target": "gold",
        "doc_to_choice": "choices",
    }, write_lines("openbookqa.jsonl", rows)


def evaluate(model, task, path):
    config = {
        **task, "dataset_path": "json", "dataset_kwargs": {"data_files": {"validation": path}},
        "validation_split": "validation", "test_split": "validation", "output_type": "multiple_choice",
        "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}], "target_delimiter": " ",
    }
    begin = time.time()
    results = lm_eval.simple_evaluate(
        model="local-completions",
        model_args=f"model={model},base_url={URL}/v1/completions,num_concurrent=8,max_retries=1",
        tasks=[config], log_samples=True, bootstrap_iters=0)
    seconds = time.time() - begin
    samples = results["samples"][task["task"]]
    requests = sum(len(sample["arguments"]) for sample in samples)
    print(task["task"], {key: value for key, value in results["results"][task["task"]].items()
                         if key.startswith("acc")},
          f"{requests} requests, {requests / seconds:.1f}/s")
    return samples


def ids_of(text):
    return ask("/tokenize", {"prompt": text, "add_special_tokens": False})["tokens"]


def arguments_of(sample):
    given = sample["arguments"]
    if isinstance(given, dict):
        return [(each["arg_0"], each["arg_1"]) for each in given.values()]
    return [tuple(each) for each in given]


def answers_of(sample):
    # [[(log-likelihood, is greedy)], ...]; some versions write the numbers as text.
    return [(float(each[0][0]), str(each[0][1]) == "True") for each in sample["resps"]]


def compare_with_score(name, samples):
    rows, from_token, served = [], [], []
    for sample in samples:
        for (context, continuation), answer in zip(arguments_of(sample), answers_of(sample)):
            spaces = len(context) - len(context.rstrip())
            if spaces:
                continuation = context[-spaces:] + continuation
                context = context[:-spaces]
            whole, start = ids_of(context + continuation), len(ids_of(context))
            rows.append({"input_ids": whole})
            from_token.append(start)
            served.append(answer)
    scores = os.path.join(WORK, name + ".scores.jsonl")
    subprocess.run([os.environ["HONE"], "score", "--model", os.environ["HONE_MODEL"], "--data",
                    write_lines(name + ".rows.jsonl", rows), "--output", scores, "--quiet"], check=True)
    different = 0
    for scored, start, (log_likelihood, _) in zip(lines(scores), from_token, served):
        if sum(scored["logprobs"][start:]) != log_likelihood:
            different += 1
    print(f"{name}: {len(rows)} log-likelihoods, {different} differ from hone score")
    return different == 0 and len(rows) == len(served) > 0


def main():
    model = ask("/v1/models")["data"][0]["id"]
    good = True
    for task, path in (piqa(), openbookqa()):
        good = compare_with_score(task["task"], evaluate(model, task, path)) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
