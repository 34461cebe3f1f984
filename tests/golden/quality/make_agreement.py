"""Witness values for agreement, multiple testing and judges in src/quality.

pip install numpy<2 krippendorff irrCAC scikit-learn statsmodels ppi-python; (numba wants a newer
coverage than irrCAC does: pip install -U coverage)
python make_agreement.py > agreement.txt

table NAME TASKS WORKERS  followed by one line a task, -1 = no label
value NAME METRIC LEVEL WEIGHTS number
Tables are drawn once by NumPy and kept in the file, so no draw has to be repeated elsewhere.
"""
import platform
import warnings
from importlib.metadata import version

import krippendorff
import numpy as np
import pandas as pd
from irrCAC.raw import CAC
from ppi_py import ppi_mean_ci, ppi_mean_pointestimate
from ppi_py.ppi import _calc_lam_glm
from sklearn.metrics import accuracy_score, cohen_kappa_score, precision_recall_fscore_support
from statsmodels.api import GLM, add_constant, families
from statsmodels.stats.inter_rater import fleiss_kappa
from statsmodels.stats.multitest import multipletests

warnings.simplefilter("ignore")
print(f"# python {platform.python_version()}", *[f"{name} {version(name)}" for name in (
    "numpy", "krippendorff", "irrCAC", "scikit-learn", "statsmodels", "ppi-python")])
rng = np.random.default_rng(20240611)


def draw(tasks, workers, classes, missing, accuracy, skew, lowest=0):
    share = np.arange(1, classes + 1) ** -skew
    truth = rng.choice(classes, tasks, p=share / share.sum())
    table = np.where(rng.random((tasks, workers)) < accuracy, truth[:, None],
                     rng.integers(0, classes, (tasks, workers))).astype(float)
    table[rng.random(table.shape) < missing] = np.nan
    for row in table:
        if np.isnan(row).all():
            row[0] = 0.0
    return table + lowest


def numbers(*values):
    return " ".join(repr(float(value)) for value in values)


TABLES = {
    "two": draw(40, 2, 3, 0.0, 0.6, 0.5),
    "five": draw(60, 5, 4, 0.35, 0.7, 1.0),
    "skewed": draw(80, 4, 2, 0.2, 0.5, 4.0),
    "full": draw(30, 6, 5, 0.0, 0.5, 0.0),
    "scores": draw(50, 4, 5, 0.3, 0.6, 0.3, lowest=1),
    "opposed": np.array([[0, 1], [1, 0], [0, 1], [1, 0], [0, 1], [1, 1]], float),
}
for name, table in TABLES.items():
    print("table", name, *table.shape)
    for row in table:
        print(*[int(x) if x == x else -1 for x in row])
    classes = sorted(set(table[table == table].astype(int)))
    assert classes == list(range(classes[0], classes[-1] + 1)), (name, classes)
    for level in ["nominal", "ordinal", "interval", "ratio"]:
        if level == "ratio" and classes[0] < 1:
            continue
        alpha = krippendorff.alpha(reliability_data=table.T, level_of_measurement=level)
        print("value", name, "alpha", level, "by-level", numbers(alpha))
    frame = pd.DataFrame(table[(~np.isnan(table)).sum(1) > 1])  # one label says nothing: left out
    for weights, level, ours in [("identity", "nominal", "by-level"), ("linear", "ordinal", "linear"),
                                 ("quadratic", "ordinal", "quadratic"),
                                 ("ordinal", "ordinal", "by-level"), ("ratio", "ratio", "by-level")]:
        if level == "ratio" and classes[0] < 1:
            continue
        gwet = CAC(frame.copy(), weights=weights, digits=15).gwet()["est"]["coefficient_value"]
        print("value", name, "ac1" if weights == "identity" else "ac2", level, ours, numbers(gwet))
    for weights in ["identity", "linear", "quadratic"]:  # Conger's kappa; complete tables only
        if not np.isnan(table).any():
            print("value", name, "cohen nominal", "none" if weights == "identity" else weights,
                  numbers(CAC(frame.copy(), weights=weights, digits=15).conger()
                          ["est"]["coefficient_value"]))
    counts = np.array([[(row == k).sum() for k in classes] for row in table])
    if (counts.sum(1) == counts.sum(1)[0]).all():
        print("value", name, "fleiss", "nominal", "by-level", numbers(fleiss_kappa(counts)))
    for first in range(table.shape[1]):
        for second in range(first + 1, table.shape[1]):
            both = ~np.isnan(table[:, first]) & ~np.isnan(table[:, second])
            for weights in [None, "linear", "quadratic"]:
                kappa = cohen_kappa_score(table[both, first], table[both, second], labels=classes,
                                          weights=weights)
                print("cohen", name, first, second, weights or "none", numbers(kappa))
    for k in classes:  # this class against the rest
        binary = np.where(np.isnan(table), np.nan, (table == k).astype(float))
        print("class", name, k, "alpha", numbers(krippendorff.alpha(
            reliability_data=binary.T, level_of_measurement="nominal")))
        pairs = pd.DataFrame(binary[(~np.isnan(binary)).sum(1) > 1])
        print("class", name, k, "ac1",
              numbers(CAC(pairs, digits=15).gwet()["est"]["coefficient_value"]))

for p in [[0.01, 0.04, 0.03, 0.005, 0.5, 0.9, 0.04], [0.2], [1.0, 0.0, 0.5], list(rng.random(20) ** 3)]:
    print("p", numbers(*p))
    for ours, method in [("bh", "fdr_bh"), ("by", "fdr_by"), ("holm", "holm")]:
        print("adjusted", ours, numbers(*multipletests(p, 0.05, method)[1]))

for n, unlabelled, noise in [(20, 200, 0.3), (50, 50, 1.0), (8, 1000, 0.1), (30, 300, 5.0)]:
    truth = rng.normal(0.5, 1, n + unlabelled)
    judge = truth + rng.normal(0.4, noise, n + unlabelled)
    people = truth[:n] + rng.normal(0, 0.2, n)
    print("people", numbers(*people))
    print("judge", numbers(*judge[:n]))
    print("elsewhere", numbers(*judge[n:]))
    first = ppi_mean_pointestimate(people, judge[:n], judge[n:], lam=1)
    tuned = _calc_lam_glm(people - first, judge[:n] - first, judge[n:] - first, np.eye(1), clip=True)
    for name, lam in [("people_only", 0), ("ppi", 1), ("ppi_plus_plus", tuned)]:
        low, high = ppi_mean_ci(people, judge[:n], judge[n:], alpha=0.05, lam=lam)
        value = ppi_mean_pointestimate(people, judge[:n], judge[n:], lam=lam)
        print("ppi", name, numbers(lam, np.ravel(value)[0], np.ravel(low)[0], np.ravel(high)[0]))

truth = rng.integers(0, 4, 50)
said = np.where(rng.random(50) < 0.5, truth, rng.integers(0, 3, 50))
print("truth", *truth)
print("said", *said)
precision, recall, f1, _ = precision_recall_fscore_support(truth, said, average="macro",
                                                           zero_division=0)
print("classification", numbers(accuracy_score(truth, said), precision, recall, f1,
                                cohen_kappa_score(truth, said)))

for n, slope in [(80, 0.6), (200, 0.0)]:
    left, right = rng.integers(20, 400, n), rng.integers(20, 400, n)
    gap = (left - right) / np.sqrt(np.mean((left - right) ** 2.0))
    side = rng.random(n) < 1 / (1 + np.exp(-0.2 - slope * gap))
    verdict = np.where(rng.random(n) < 0.2, 0.5, side)
    print("length", numbers(*left))
    print("length", numbers(*right))
    print("verdict", numbers(*verdict))
    fit = GLM(verdict, add_constant(gap), family=families.Binomial()).fit(cov_type="HC0", tol=1e-14)
    print("slope", numbers(*fit.params, *fit.bse, fit.pvalues[1]))
