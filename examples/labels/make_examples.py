#!/usr/bin/env python3
"""Makes labels.csv, truth.csv and votes.csv of this folder: invented people, invented answers.

The planted habits, which the commands find again: Gus says "fine" far too often, Fay alternates,
Ben is a beginner, Hal chooses the left side. The same bytes on every machine (random.Random).
"""
import csv
import math
import random

LABELS = ["fine", "rude", "wrong"]
SKILL = {"Ada": 0.93, "Ben": 0.62, "Chen": 0.88, "Dora": 0.9, "Emil": 0.82, "Fay": None, "Gus": None}
STRENGTH = {"aspen": 0.9, "birch": 0.55, "cedar": 0.0, "elm": -0.35, "fir": -1.1}
VOTERS = {f"v{i:02d}": 0.0 for i in range(1, 36)} | {"Hal": 2.5}


def labels(rng):
    truth = {f"answer-{i:03d}": rng.choices(LABELS, [5, 2, 3])[0] for i in range(1, 121)}
    rows, turn = [], 0
    for task, right in truth.items():
        people = rng.sample(sorted(SKILL), 5 if rng.random() < 0.5 else 4)
        for who in people:
            seconds = round(rng.uniform(9, 40), 1)
            if who == "Fay":
                turn += 1
                said, seconds = LABELS[turn % 2], round(rng.uniform(1.5, 4), 1)
            elif who == "Gus":
                said = "fine" if rng.random() < 0.9 else right
            elif rng.random() < SKILL[who]:
                said = right
            else:
                said = rng.choice([label for label in LABELS if label != right])
            rows.append((task, who, said, seconds))
    return rows, truth


def votes(rng):
    names, rows = sorted(STRENGTH), []
    for number in range(1, 721):
        left, right = rng.sample(names, 2)
        who = rng.choice(sorted(VOTERS))
        length = [rng.randint(40, 400), rng.randint(40, 400)]
        d = STRENGTH[left] - STRENGTH[right] + VOTERS[who] + 0.3 * (length[0] - length[1]) / 400
        tie = rng.random() < 0.18 * math.exp(-abs(d))
        winner = "tie" if tie else "left" if rng.random() < 1 / (1 + math.exp(-d)) else "right"
        if tie and rng.random() < 0.25:
            winner = "both_bad"
        rows.append((left, right, winner, who, f"q{number % 90 + 1:02d}", *length))
    return rows


def write(name, header, rows):
    with open(name, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


if __name__ == "__main__":
    rows, truth = labels(random.Random(7))
    write("labels.csv", ["task", "worker", "label", "seconds"], rows)
    write("truth.csv", ["task", "label"], sorted(truth.items())[:80])
    write("votes.csv", ["left", "right", "winner", "worker", "task", "length_left", "length_right"],
          votes(random.Random(8)))
