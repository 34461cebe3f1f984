#!/usr/bin/env python3
"""Preference pairs out of PandaLM's test set (github.com/WeOpenML/PandaLM, data/testset-v1.json, Apache-2.0), split by prompt.

    python3 examples/pandalm_pairs.py testset-v1.json OUT_FOLDER

Each of 999 comparisons has three annotators (0 tie, 1, 2). The answer with more votes is chosen, `probability` is its share of the votes with a tie as half a vote; without a
majority, or when an answer is no text or both are the same, the comparison is left out. Prompts whose SHA-256 ends in 0 to 4 (of 16) are held out: a prompt stands in one file only. The held-out file has no probabilities.
Also writes prompts.jsonl: the training prompts alone, once each, for methods that answer by themselves.
"""
import hashlib
import json
import pathlib
import sys


def main(source, out):
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    files = {name: (out / f"{name}.jsonl").open("w") for name in ["train", "heldout", "prompts"]}
    counts = dict.fromkeys(["train", "heldout", "tie", "prompts"], 0)
    seen = set()
    for row in json.load(open(source)):
        votes = [row[f"annotator{i}"] for i in (1, 2, 3)]
        first = votes.count(1) + votes.count(0) / 2
        text = row["instruction"] + ("\n\n" + row["input"] if row["input"] else "")
        part = "heldout" if int(hashlib.sha256(text.encode()).hexdigest()[-1], 16) < 5 else "train"
        if part == "train" and text not in seen:
            seen.add(text)
            counts["prompts"] += 1
            files["prompts"].write(json.dumps({"prompt": [{"role": "user", "content": text}]}, ensure_ascii=False) + "\n")
        answers = (row["response1"], row["response2"])
        if first == 1.5 or not all(isinstance(a, str) for a in answers) or answers[0].strip() == answers[1].strip():
            counts["tie"] += 1
            continue
        good, bad = answers if first > 1.5 else reversed(answers)
        pair = {"id": f"pandalm-{row['idx']}", "prompt": [{"role": "user", "content": text}], "chosen": [{"role": "assistant", "content": good}],
                "rejected": [{"role": "assistant", "content": bad}]}
        if part == "train":
            pair["probability"] = round(max(first, 3 - first) / 3, 4)
        files[part].write(json.dumps(pair, ensure_ascii=False) + "\n")
        counts[part] += 1
    print(json.dumps(counts))


if __name__ == "__main__":
    main(*sys.argv[1:])
