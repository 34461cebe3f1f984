#!/usr/bin/env python3
"""Writes train.jsonl and heldout.jsonl: short additions behind two that are done.

Every pair of numbers stands in one of the two files, so that a held-out sum was never seen. Run in
this folder: python3 make_sums.py
"""
import json
import random

SHOWN = "4 + 3 = 7\n12 + 5 = 17\n"
LARGEST = 24
HELD_OUT = 160
TRAINED = 400


def write(name, pairs):
    with open(name + ".jsonl", "w", encoding="utf-8") as out:
        for a, b in pairs:
            row = {"id": f"{a}+{b}", "prompt": f"{SHOWN}{a} + {b} =", "answer": str(a + b)}
            out.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    every = [(a, b) for a in range(1, LARGEST + 1) for b in range(1, LARGEST + 1)]
    every = [pair for pair in every if pair not in ((4, 3), (12, 5))]
    random.Random(7).shuffle(every)
    write("heldout", every[:HELD_OUT])
    write("train", every[HELD_OUT:HELD_OUT + TRAINED])
