#!/usr/bin/env python3
"""The bars of label statistics, Hone and the Python libraries in turn in one run.

    python quality_peers.py --hone build/release/hone --data $HONE_SHARED_DATA CASE [CASE ...]

CASE is METHOD:SET. METHOD one of dawid-skene (each to its own stop), dawid-skene-same-stop (Hone stops
after as many iterations as crowd-kit), dawid-skene-same-likelihood (crowd-kit goes on for as many
iterations as Hone, to the same likelihood), one-coin, glad, mace, alpha, alpha-matrix, bradley-terry,
bradley-terry-crowd-kit. SET a folder of truthinf (trec, s_adult, d_product, ...), llmfao or, for
Bradley-Terry, votes: 1,000,000 invented votes on 100 things. Both sides get the same rows without exact
repeats and are timed without reading. The peer runs `--peer-runs` times between Hone's, its best counts.
One JSON line a case: seconds of both, ratio, iterations, log-likelihoods where known, versions. --limit: seconds after which the peer is given
up (it then counts as slower than that). Needs crowd-kit, krippendorff, evalica, pandas.
"""
import argparse
import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import tempfile
import time


def labels_of(folder):
    import pandas
    table = pandas.read_csv(os.path.join(folder, "label.csv"), dtype=str)
    return table.rename(columns={"item": "task"}).drop_duplicates()[["task", "worker", "label"]]


def dawid_skene_peer(table, **settings):
    from crowdkit.aggregation import DawidSkene

    def run():
        fit = DawidSkene(**settings).fit(table)
        run.iterations = len(fit.loss_history_)
        run.fit = fit

    run.log_likelihood = lambda: log_likelihood(run.fit, table)
    return "crowd-kit", run


def log_likelihood(fit, table):
    """log P(labels), which crowd-kit's loss is not: that counts a task's prior once a label."""
    import numpy
    rows = fit.errors_.reindex(list(zip(table["worker"], table["label"])))
    logs = numpy.log(rows[fit.priors_.index].to_numpy())
    codes = table["task"].astype("category").cat.codes.to_numpy()
    sums = numpy.tile(numpy.log(fit.priors_.to_numpy()), (codes.max() + 1, 1))
    numpy.add.at(sums, codes, logs)
    most = sums.max(axis=1)
    return float((most + numpy.log(numpy.exp(sums - most[:, None]).sum(axis=1))).sum())


def label_peer(method, table, rounds, iterations):
    if method in ("dawid-skene", "dawid-skene-same-stop"):
        return dawid_skene_peer(table, n_iter=100)
    if method == "dawid-skene-same-likelihood":
        return dawid_skene_peer(table, n_iter=iterations, tol=-float("inf"))
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


def invented_votes(path):
    """1,000,000 votes on 100 things, 15 % ties, by 5,000 workers on 2,000 tasks; one fixed seed."""
    import numpy
    import pandas
    draw = numpy.random.default_rng(42)
    n, things = 1000000, 100
    left = draw.integers(things, size=n)
    right = (left + 1 + draw.integers(things - 1, size=n)) % things
    chance = 1.0 / (1.0 + numpy.exp(-3.0 * (left - right) / things))
    winner = numpy.where(draw.random(n) < chance, "left", "right")
    winner[draw.random(n) < 0.15] = "tie"
    at = numpy.arange(n)
    pandas.DataFrame({"left": [f"m{i}" for i in left], "right": [f"m{i}" for i in right],
                      "winner": winner, "worker": at % 5000, "task": at % 2000}).to_csv(
                          path, index=False)


def vote_peer(method, path, whole):
    """arena-style: a Bradley-Terry fit, then 100 fits of resampled votes (evalica) or, where that
    takes minutes, one fit times 101."""
    import pandas
    votes = pandas.read_csv(path)
    if method == "bradley-terry-crowd-kit":
        from crowdkit.aggregation import BradleyTerry
        decided = votes[votes["winner"] != "tie"]  # it knows no ties
        table = decided[["left", "right"]].assign(
            label=decided["left"].where(decided["winner"] == "left", decided["right"]))

        def fit():
            BradleyTerry(n_iter=100).fit(table)

        fit.times = 101
        return "crowd-kit", fit
    import evalica
    words = {"left": evalica.Winner.X, "right": evalica.Winner.Y, "tie": evalica.Winner.Draw}
    left, right = votes["left"].tolist(), votes["right"].tolist()
    winners = [words[w] for w in votes["winner"]]

    def once():
        evalica.bradley_terry(left, right, winners)

    def run():
        import random
        draw = random.Random(42)
        once()
        for _ in range(100):
            at = [draw.randrange(len(left)) for _ in range(len(left))]
            evalica.bradley_terry([left[i] for i in at], [right[i] for i in at],
                                  [winners[i] for i in at])

    once.times = 101
    return "evalica", run if whole else once


def hone_row(args, method, path, most=0):
    words = [args.hone, "bench", "labels", "--json", "--quiet", "--threads", str(args.threads),
             "--repeats", str(args.repeats)]
    if method == "bradley-terry":
        words += ["--comparisons", path, "--only", "bradley-terry"]
        words += ["--columns", "task=id"] if "llmfao" in path else []
    elif method == "alpha":
        words += ["--data", path, "--methods", "majority", "--only", "alpha", "--rounds",
                  str(args.rounds)]
    else:
        words += ["--data", path, "--methods", method, "--only", method, "--max-iterations",
                  str(most)]
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
    ours, most, iterations = method, 0, 0
    for end in ("-same-stop", "-same-likelihood", "-matrix", "-crowd-kit"):
        ours = ours.removesuffix(end)
    with tempfile.TemporaryDirectory() as folder:
        if ours == "bradley-terry":
            path = os.path.join(args.data, name, "crowd-comparisons.csv")
            if name == "votes":
                path = os.path.join(folder, "votes.csv")
                invented_votes(path)
            package, run = vote_peer(method, path, name != "votes")
        else:
            path = os.path.join(args.data, "truthinf", name, "label.csv")
            if method.endswith("-same-likelihood"):
                iterations = hone_row(args, ours, path)[0]["iterations"]
            package, run = label_peer(method, labels_of(os.path.dirname(path)), args.rounds,
                                      iterations)
        hone, peer, read, given_up = [], [], [], False
        for _ in range(args.peer_runs):
            spent, given_up = timed(run, args.limit)
            peer.append(spent)
            if method.endswith("-same-stop"):
                most = run.iterations + 1  # Hone ends with an E-step, crowd-kit with an M-step
            row, seconds = hone_row(args, ours, path, most)
            hone.append(row["best_seconds"])
            read.append(seconds)
    answer = {
        "case": case, "rows": row["rows"], "iterations": row["iterations"],
        "log_likelihood": row.get("log_likelihood"), "hone_seconds": min(hone),
        "hone_read_seconds": min(read), "peer": package,
        "peer_version": importlib.metadata.version(package), "peer_seconds": min(peer),
        "peer_given_up": given_up, "ratio": round(min(peer) / min(hone), 1)}
    if hasattr(run, "iterations"):
        answer["peer_iterations"] = run.iterations
        answer["peer_log_likelihood"] = run.log_likelihood()
    print(json.dumps(answer), flush=True)


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
