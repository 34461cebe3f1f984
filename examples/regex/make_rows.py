"""Plain English to regular expressions: rows for hone train jepa (and sft), made from a small grammar of our own.

Usage: python make_rows.py FOLDER [train rows] [held-out rows]. Writes train.jsonl and heldout.jsonl; no expression stands in both. The same numbers give the same files.
"""
import json
import pathlib
import random
import sys

CLASSES = {"[0-9]": ["a digit", "a number"], "[a-z]": ["a lower-case letter", "a small letter"], "[A-Z]": ["a capital letter", "an upper-case letter"], "[A-Za-z]": ["a letter", "any letter"],
           "[aeiou]": ["a vowel"], "dog": ["the word dog", "the string dog"], "ring": ["the word ring", "the string ring"], "lake": ["the word lake", "the string lake"]}
TIMES = {"": [""], "{2}": [" twice", " two times"], "{3,}": [" three or more times", " at least three times"], "+": [" once or more", " at least once"]}
PLACES = {"^%s.*": ["lines that begin with %s", "lines starting with %s"], ".*%s$": ["lines that end with %s", "lines ending in %s"], ".*%s.*": ["lines that contain %s", "lines with %s"]}
PAIRS = {"%s.*%s": ["%s before %s", "%s followed by %s"], "(%s|%s)": ["either %s or %s", "%s or %s"]}


def unit(rng):
    pattern, words = rng.choice(sorted(CLASSES.items()))
    times, said = rng.choice(sorted(TIMES.items()))
    whole = f"({pattern})" if times and not pattern.startswith("[") else pattern
    return whole + times, rng.choice(words) + rng.choice(said)


def example(rng):
    place, words = rng.choice(sorted(PLACES.items()))
    pattern, said = unit(rng)
    if rng.random() < 0.6:
        other, other_said = unit(rng)
        pair, pair_words = rng.choice(sorted(PAIRS.items()))
        pattern, said = pair % (pattern, other), rng.choice(pair_words) % (said, other_said)
    return place % pattern, rng.choice(words) % said


def main():
    folder = pathlib.Path(sys.argv[1])
    wanted = {"train": int(sys.argv[2]) if len(sys.argv) > 2 else 320, "heldout": int(sys.argv[3]) if len(sys.argv) > 3 else 120}
    rng, seen, rows = random.Random(7), set(), []
    while len(rows) < sum(wanted.values()):
        pattern, words = example(rng)
        if pattern in seen:
            continue
        seen.add(pattern)
        rows.append({"prompt": f"{words}\nregex: ", "completion": pattern})
    folder.mkdir(parents=True, exist_ok=True)
    for name, count in wanted.items():
        part, rows = rows[:count], rows[count:]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))


if __name__ == "__main__":
    main()
