#!/usr/bin/env python3
"""The bars of label statistics, Hone and the Python libraries in turn in one run.

    python quality_peers.py --hone build/release/hone --data $HONE_SHARED_DATA CASE [CASE ...]

CASE is METHOD:SET, METHOD one of dawid-skene (crowd-kit's own stop),
dawid-skene-converged (1e-9), one-coin, glad, mace, alpha, alpha-matrix, bradley-terry; SET a folder of
truthinf (trec, s_adult, d_product, ...) or llmfao. Both sides get the same rows without exact repeats
and are timed without reading. The peer runs `--peer-runs` times between Hone's, its best counts.
One JSON line a case: seconds of both, ratio, versions. --limit: seconds after which the peer is given
up (it then counts as slower than that). Needs crowd-kit, krippendorff, evalica, pandas.
"""
import argparse
import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import time


def labels_of(folder):
    import pandas
    table = pandas.read_csv(os.path.join(folder, "label.csv"), dtype=str)
    return table.rename(columns={"item": "task"}).drop_duplicates()[["task", "worker", "label"]]


def label_peer(method, table, rounds):
    if method == "dawid-skene":
        from crowdkit.aggregation import DawidSkene
        return "crowd-kit", lambda: DawidSkene(n_iter=100).fit(table)
    if method == "dawid-skene-converged":
        from crowdkit.aggregation import DawidSkene
        return "crowd-kit", lambda: DawidSkene(n_iter=1000, tol=1e-9).fit(table)
    if method == "one-coin":
        from crowdkit.aggregation import OneCoinDawidSkene
        return "crowd-kit", lambda: OneCoinDawidSkene(n_iter=100).fit(table)
    if method == "glad":
        from crowdkit.aggregation import GLAD
        return "crowd-kit", lambda: GLAD().fit(table)
    if method == "mace":
        from crowdkit.aggregation import MACE
        return "crowd-kit", lambda: MACE(n_restarts=10, n_iter=50).fit(table)
    if method in ("alpha", "alpha-matrix"):
        return "krippendorff", alpha_peer(table, rounds, method == "alpha-matrix")
    raise SystemExit(f"unknown method {method}")


def alpha_peer(table, rounds, matrix):
    """One round, times `rounds`: the package has no bootstrap of its own. From counts a task, the
    shortest way, or (alpha-matrix) from the matrix of workers and tasks, the documented one."""
    import krippendorff
    import numpy
    tasks = table["task"].astype("category").cat.codes.to_numpy()
    values = table["label"].astype("category").cat.codes.to_numpy()
    if matrix:
        workers = table["worker"].astype("category").cat.codes.to_numpy()
        data = numpy.full((workers.max() + 1, tasks.max() + 1), numpy.nan)
        data[workers, tasks] = values

        def run_matrix():
            krippendorff.alpha(reliability_data=data, level_of_measurement="nominal")

        run_matrix.times = rounds
        return run_matrix
    counts = numpy.zeros((tasks.max() + 1, values.max() + 1), dtype=int)
    numpy.add.at(counts, (tasks, values), 1)

    def run():
        krippendorff.alpha(value_counts=counts, level_of_measurement="nominal")

    run.times = rounds
    return run


def vote_peer(data):
    """arena-style: 100 resamples of the votes, a Bradley-Terry fit of evalica on each."""
    import evalica
    import pandas
    votes = pandas.read_csv(os.path.join(data, "llmfao", "crowd-comparisons.csv"))
    words = {"left": evalica.Winner.X, "right": evalica.Winner.Y, "tie": evalica.Winner.Draw}
    left, right = votes["left"].tolist(), votes["right"].tolist()
    winners = [words[w] for w in votes["winner"]]

    def run():
        import random
        draw = random.Random(42)
        evalica.bradley_terry(left, right, winners)
        for _ in range(100):
            at = [draw.randrange(len(left)) for _ in range(len(left))]
            evalica.bradley_terry([left[i] for i in at], [right[i] for i in at],
                                  [winners[i] for i in at])

    return "evalica", run


def hone_row(args, method, path):
    words = [args.hone, "bench", "labels", "--json", "--quiet", "--threads", str(args.threads),
             "--repeats", str(args.repeats)]
    if method == "bradley-terry":
        words += ["--comparisons", path, "--columns", "task=id", "--only", "bradley-terry"]
    elif method == "alpha":
        words += ["--data", path, "--methods", "majority", "--only", "alpha", "--rounds",
                  str(args.rounds)]
    else:
        words += ["--data", path, "--methods", method, "--only", method]
    answer = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
    return answer["rows"][0], answer["sources"][0]["read_seconds"]


class GivenUp(Exception):
    pass


def timed(run, limit):
    def stop(*_):
        raise GivenUp

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, limit)
    begin = time.perf_counter()
    try:
        run()
        return (time.perf_counter() - begin) * getattr(run, "times", 1), False
    except GivenUp:
        return time.perf_counter() - begin, True
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def measure(args, case):
    method, name = case.split(":")
    ours = method.removesuffix("-converged").removesuffix("-matrix")
    if method == "bradley-terry":
        path = os.path.join(args.data, "llmfao", "crowd-comparisons.csv")
        package, run = vote_peer(args.data)
    else:
        path = os.path.join(args.data, "truthinf", name, "label.csv")
        package, run = label_peer(method, labels_of(os.path.dirname(path)), args.rounds)
    hone, peer, read, given_up = [], [], [], False
    for _ in range(args.peer_runs):
        row, seconds = hone_row(args, ours, path)
        hone.append(row["best_seconds"])
        read.append(seconds)
        spent, given_up = timed(run, args.limit)
        peer.append(spent)
    row, seconds = hone_row(args, ours, path)
    hone.append(row["best_seconds"])
    print(json.dumps({
        "case": case, "rows": row["rows"], "iterations": row["iterations"],
        "hone_seconds": min(hone), "hone_read_seconds": min(read), "peer": package,
        "peer_version": importlib.metadata.version(package), "peer_seconds": min(peer),
        "peer_given_up": given_up, "ratio": round(min(peer) / min(hone), 1)}), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hone", default="build/release/hone")
    parser.add_argument("--data", default=os.environ.get("HONE_SHARED_DATA", ""))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--peer-runs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--limit", type=float, default=200.0)
    parser.add_argument("cases", nargs="+")
    options = parser.parse_args()
    for one in options.cases:
        try:
            measure(options, one)
        except subprocess.CalledProcessError as error:
            sys.exit(error.stderr.decode())
