#!/usr/bin/env python3
"""Checks the quickstart data against the rules in README.md.

Run: python3 check.py   (exit code 0 = every rule holds)
"""
import json
import re
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROMPT_LIMITS = {"train": (64, 160), "heldout": (24, 64)}  # prompts, pairs: at least
CHOSEN_WORDS = (22, 56)
REJECTED_WORDS = (36, 72)
WRONG_FORM_WORDS = (24, 60)
WRONG_FORM_SHARE = (0.08, 0.13)
PARAPHRASE_OVERLAP = 0.6
STOP_WORDS = set(
    "a an the i my me do does did is are was were be how what why when which who should can could "
    "would to of in on for from with and or it we have get make at as if before after".split())

problems = []


def problem(where, text):
    problems.append(f"{where}: {text}")


def reject_double_keys(pairs):
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key appears twice")
    return dict(pairs)


def read_rows(name, keys):
    rows = []
    path = HERE / f"{name}.jsonl"
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        where = f"{path.name}:{number}"
        try:
            row = json.loads(line, object_pairs_hook=reject_double_keys)
        except ValueError as error:
            problem(where, f"not a JSON object: {error}")
            continue
        if not isinstance(row, dict) or list(row) != keys:
            problem(where, f"keys must be {keys}")
            continue
        texts = {key: message_text(where, key, row[key]) for key in keys[1:]}
        if not re.fullmatch(r"[a-z]+(-[a-z0-9]+)+", str(row["id"])):
            problem(where, f"id {row['id']!r} must be lower case words joined by hyphens")
        if None not in texts.values():
            rows.append((where, row["id"], texts))
    return rows


def message_text(where, key, messages):
    role = "user" if key == "prompt" else "assistant"
    good = (isinstance(messages, list) and len(messages) == 1 and isinstance(messages[0], dict)
            and list(messages[0]) == ["role", "content"] and messages[0]["role"] == role
            and isinstance(messages[0]["content"], str))
    if not good:
        problem(where, f"{key} must be one message of role {role} with a text")
        return None
    text = messages[0]["content"]
    if not re.fullmatch(r"[ -~\n]+", text):
        problem(where, f"{key} holds a character outside printable ASCII")
    if text != text.strip() or "  " in text or "\t" in text:
        problem(where, f"{key} has stray white space")
    return text


def has_form(text):
    """One bold sentence, a blank line, exactly three one-line bullets."""
    return re.fullmatch(r"\*\*[^*\n]+[.!]\*\*\n\n- [^\n*]+\.\n- [^\n*]+\.\n- [^\n*]+\.", text) is not None


def sentence_count(text):
    return len(re.findall(r"[.!?](?= |$)", text))


def rejected_kind(text):
    """Prose, or one of the three wrong forms of the behaviour, or None."""
    bullets = len(re.findall(r"(?m)^- ", text))
    bold = text.startswith("**") and text.count("**") == 2
    if bullets == 0 and "**" not in text:
        return "prose" if "\n" not in text and 2 <= sentence_count(text) <= 5 else None
    if bullets == 2 and bold:
        return "two bullets"
    if bullets == 3 and "**" not in text:
        return "no bold answer"
    if bullets == 0 and bold:
        return "no bullets"
    return None


def check_words(where, what, text, limits):
    count = len(re.findall(r"[A-Za-z0-9][A-Za-z0-9'.,/-]*", text))
    if not limits[0] <= count <= limits[1]:
        problem(where, f"{what} has {count} words, wanted {limits[0]} to {limits[1]}")


def check_pairs(split, rows):
    kinds, per_prompt, prompt_of_stem = Counter(), Counter(), {}
    for where, row_id, texts in rows:
        chosen, rejected = texts["chosen"], texts["rejected"]
        per_prompt[texts["prompt"]] += 1
        stem = row_id.rpartition("-")[0]
        if prompt_of_stem.setdefault(stem, texts["prompt"]) != texts["prompt"]:
            problem(where, f"id {stem}-* stands for two prompts")
        if not has_form(chosen):
            problem(where, "chosen is not a bold answer, a blank line and three bullets")
        elif sentence_count(chosen.split("**")[1]) != 1:
            problem(where, "the bold answer is not one sentence")
        check_words(where, "chosen", chosen, CHOSEN_WORDS)
        kind = rejected_kind(rejected)
        kinds[kind] += 1
        if kind is None:
            problem(where, "rejected is neither prose of 2 to 5 sentences nor a known wrong form")
        check_words(where, "rejected", rejected,
                    REJECTED_WORDS if kind == "prose" else WRONG_FORM_WORDS)
    if len(set(prompt_of_stem.values())) != len(prompt_of_stem):
        problem(split, "one prompt has two id stems")
    for prompt, count in per_prompt.items():
        if count not in (2, 3):
            problem(split, f"{count} pairs for {prompt!r}, wanted 2 or 3")
    least_prompts, least_pairs = PROMPT_LIMITS[split]
    if len(per_prompt) < least_prompts or len(rows) < least_pairs:
        problem(split, f"{len(per_prompt)} prompts and {len(rows)} pairs, "
                       f"wanted {least_prompts} and {least_pairs} or more")
    share = (len(rows) - kinds["prose"]) / max(1, len(rows))
    low, high = WRONG_FORM_SHARE if split == "train" else (0.0, 0.0)
    if not low <= share <= high:
        problem(split, f"share of wrong forms is {share:.3f}, wanted {low} to {high}")
    print(f"{split}: {len(per_prompt)} prompts, {len(rows)} pairs, rejected:", dict(kinds))


def check_duplicates(all_rows):
    for name, values in (
            ("id", [row_id for _, _, row_id, _ in all_rows]),
            ("answer", [t[k].lower() for _, _, _, t in all_rows for k in ("chosen", "rejected") if k in t]),
            ("bold answer", [t["chosen"].split("\n")[0] for _, _, _, t in all_rows if "chosen" in t])):
        for value, count in Counter(values).items():
            if count > 1:
                problem("all files", f"{name} appears {count} times: {value!r}")


def content_words(text):
    return {re.sub(r"s$", "", w) for w in re.findall(r"[a-z0-9-]+", text.lower())} - STOP_WORDS


def check_prompt_overlap(all_rows):
    """No two prompts share most of their content words, within a file or across files."""
    prompts = sorted({(t["prompt"], split) for split, _, _, t in all_rows})
    for i, (a, split_a) in enumerate(prompts):
        for b, split_b in prompts[i + 1:]:
            words_a, words_b = content_words(a), content_words(b)
            overlap = len(words_a & words_b) / max(1, min(len(words_a), len(words_b)))
            if overlap >= PARAPHRASE_OVERLAP:
                problem(f"{split_a} and {split_b}", f"prompts are too alike: {a!r}, {b!r}")


def main():
    pair_keys = ["id", "prompt", "chosen", "rejected"]
    all_rows = []
    for split in ("train", "heldout"):
        rows = read_rows(split, pair_keys)
        check_pairs(split, rows)
        all_rows += [(split, *row) for row in rows]
    show = read_rows("show", ["id", "prompt"])
    if len(show) != 3:
        problem("show.jsonl", f"{len(show)} prompts, wanted 3")
    all_rows += [("show", *row) for row in show]
    check_duplicates(all_rows)
    check_prompt_overlap(all_rows)
    for text in problems:
        print("FAIL", text)
    print("all rules hold" if not problems else f"{len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
