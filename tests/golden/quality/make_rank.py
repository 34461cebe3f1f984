"""Witness values for the rankings of src/quality: rank_votes.csv (drawn here) and rank.txt.

pip install numpy scipy statsmodels evalica; python make_rank.py
Bradley-Terry: statsmodels GLM (binomial, half for a tie) with HC0 and clustered covariance without
small-sample correction. Ties, CrowdBT: scipy.optimize on the formula as printed in the papers; the
derivatives of each vote by complex steps. Elo, Newman: evalica. Lines: name, key, numbers.
"""
import csv
import platform

import evalica
import numpy as np
import scipy
import statsmodels
import statsmodels.api as sm
from scipy import stats
from scipy.optimize import minimize

THINGS, WORKERS, TASKS, VOTES = 6, 31, 60, 420
NAMES = [f"thing {letter}" for letter in "ABCDEF"]
rng = np.random.default_rng(7)
strength = np.array([0.9, 0.5, 0.1, -0.2, -0.5, -0.8])
rows = []
for vote in range(VOTES):
    task = int(rng.integers(TASKS))
    left, right = rng.permutation(THINGS)[:2] if task % 2 else rng.permutation(THINGS)[-2:]
    worker = int(rng.integers(WORKERS))
    style = round(float(rng.normal()), 3)
    odds = strength[left] - strength[right] + 0.25 + 0.3 * style
    if worker % 7 == 0:
        odds = -odds
    a, b, tie = np.exp(odds / 2), np.exp(-odds / 2), 0.6
    outcome = rng.choice(3, p=np.array([a, b, tie]) / (a + b + tie))
    winner = ["left", "right", "tie" if rng.random() < 0.8 else "both_bad"][outcome]
    rows.append([NAMES[left], NAMES[right], winner, f"w{worker:02d}", f"t{task:02d}", style])
with open("rank_votes.csv", "w", newline="") as file:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["left", "right", "winner", "worker", "task", "style"])
    writer.writerows(rows)

L = np.array([NAMES.index(row[0]) for row in rows])
R = np.array([NAMES.index(row[1]) for row in rows])
Y = np.array([{"left": 1.0, "right": 0.0}.get(row[2], 0.5) for row in rows])
W = np.array([int(row[3][1:]) for row in rows])
T = np.array([int(row[4][1:]) for row in rows])
Z = np.array([row[5] for row in rows])
SCALE = Z.std()
out = open("rank.txt", "w")


def line(name, key, *numbers):
    print(name, key, *[repr(float(number)) for number in numbers], file=out)


print(f"# python {platform.python_version()} numpy {np.__version__} scipy {scipy.__version__} "
      f"statsmodels {statsmodels.__version__} evalica {evalica.__version__}", file=out)

# The things as differences of indicators, the first left out; then to mean 0.
X = np.zeros((VOTES, THINGS))
X[np.arange(VOTES), L] += 1
X[np.arange(VOTES), R] -= 1
CENTER = (np.eye(THINGS) - 1 / THINGS)[:, 1:]


def bradley_terry(name, extra):
    design = np.hstack([X[:, 1:]] + [column[:, None] for column in extra])
    model = sm.GLM(Y, design, family=sm.families.Binomial())
    fits = [model.fit(tol=1e-14, cov_type="HC0")]
    for groups in (W, T):
        fits.append(model.fit(tol=1e-14, cov_type="cluster",
                              cov_kwds={"groups": groups, "use_correction": False}))
    p = fits[0].predict()
    line(name, "log_likelihood", (Y * np.log(p) + (1 - Y) * np.log(1 - p)).sum())
    beta = CENTER @ fits[0].params[:THINGS - 1]
    errors = []
    for fit in fits:
        covariance = fit.cov_params()[:THINGS - 1, :THINGS - 1]
        errors.append(np.sqrt(np.diag(CENTER @ covariance @ CENTER.T)))
    for thing in range(THINGS):
        line(name, "strength", thing, beta[thing], *[error[thing] for error in errors])
    for k in range(len(extra)):
        line(name, "extra", k, fits[0].params[THINGS - 1 + k],
             *[fit.bse[THINGS - 1 + k] for fit in fits])


bradley_terry("bradley-terry", [])
bradley_terry("bradley-terry-left", [np.ones(VOTES)])
bradley_terry("bradley-terry-style", [Z / SCALE])
bradley_terry("bradley-terry-left-style", [np.ones(VOTES), Z / SCALE])


def davidson(d, tie):
    parts = [np.exp(d / 2), np.exp(-d / 2), np.exp(tie) + 0 * d]
    total = parts[0] + parts[1] + parts[2]
    return np.where(Y == 1, parts[0], np.where(Y == 0, parts[1], parts[2])) / total


def rao_kupper(d, tie):
    theta, pi = np.exp(tie), np.exp(d)  # pi of the left, the right has 1
    left, right = pi / (pi + theta), 1 / (theta * pi + 1)
    both = pi * (theta ** 2 - 1) / ((pi + theta) * (theta * pi + 1))
    return np.where(Y == 1, left, np.where(Y == 0, right, both))


def with_ties(name, probability, left):
    size = THINGS + left

    def logs(v):  # v: strengths but the first, tie, left
        d = X[:, 1:] @ v[:THINGS - 1] + (v[THINGS] if left else 0)
        return np.log(probability(d, v[THINGS - 1]))

    def scores(v):
        columns = []
        for k in range(size):
            step = v.astype(complex)
            step[k] += 1e-30j
            columns.append(logs(step).imag / 1e-30)
        return np.array(columns).T

    start = np.zeros(size)
    start[THINGS - 1] = 0.5
    best = minimize(lambda v: -logs(v).sum(), start, jac=lambda v: -scores(v).sum(0), method="BFGS",
                    options={"gtol": 1e-10}).x

    def hessian(v):
        h = 1e-5
        return -np.array([(scores(v + h * e).sum(0) - scores(v - h * e).sum(0)) / (2 * h)
                          for e in np.eye(size)])

    for _ in range(3):  # Newton, to the last digits
        best = best + np.linalg.solve(hessian(best), scores(best).sum(0))
    line(name, "log_likelihood", logs(best).sum())
    inverse = np.linalg.inv(hessian(best))
    score = scores(best)
    change = np.zeros((THINGS + 1 + left, size))
    change[:THINGS, :THINGS - 1] = CENTER
    change[THINGS, THINGS - 1] = 1
    if left:
        change[THINGS + 1, THINGS] = 1
    errors = []
    for groups in (np.arange(VOTES), W, T):
        sums = np.array([score[groups == group].sum(0) for group in np.unique(groups)])
        errors.append(np.sqrt(np.diag(change @ inverse @ sums.T @ sums @ inverse @ change.T)))
    value = change @ best
    for thing in range(THINGS):
        line(name, "strength", thing, value[thing], *[error[thing] for error in errors])
    tie = np.exp(value[THINGS])
    line(name, "tie", 0, tie, *[tie * error[THINGS] for error in errors])
    if left:
        line(name, "extra", 0, value[THINGS + 1], *[error[THINGS + 1] for error in errors])


for name, probability in (("davidson", davidson), ("rao-kupper", rao_kupper)):
    with_ties(name, probability, 0)
    with_ties(name + "-left", probability, 1)

# CrowdBT, all workers present.
decided = Y != 0.5
win = np.where(Y == 1, L, R)[decided]
lose = np.where(Y == 1, R, L)[decided]
who = W[decided]
present = np.unique(who)


def crowd_bt(v):
    s, eta = v[:THINGS], 1 / (1 + np.exp(-v[THINGS:]))
    p = 1 / (1 + np.exp(-(s[win] - s[lose])))
    e = eta[np.searchsorted(present, who)]
    value = -np.log(e * p + (1 - e) * (1 - p)).sum()
    value -= (7 * np.log(eta) + np.log(1 - eta)).sum()
    q = 1 / (1 + np.exp(-s))
    return value - 0.5 * (np.log(q) + np.log(1 - q)).sum()


def crowd_bt_gradient(v):
    result = []
    for k in range(len(v)):
        step = v.astype(complex)
        step[k] += 1e-30j
        result.append(crowd_bt(step).imag / 1e-30)
    return np.array(result)


start = np.zeros(THINGS + len(present))
start[THINGS:] = np.log(4)
best = minimize(crowd_bt, start, jac=crowd_bt_gradient, method="BFGS", options={"gtol": 1e-9}).x
line("crowd-bt", "objective", crowd_bt(best))
for thing in range(THINGS):
    line("crowd-bt", "strength", thing, best[thing] - best[:THINGS].mean())
for k, worker in enumerate(present):
    line("crowd-bt", "eta", worker, 1 / (1 + np.exp(-best[THINGS + k])))

winners = [evalica.Winner.X if y == 1 else evalica.Winner.Y if y == 0 else evalica.Winner.Draw
           for y in Y]
lefts, rights = [row[0] for row in rows], [row[1] for row in rows]
newman = evalica.newman(lefts, rights, winners, tolerance=1e-14, limit=100000)
elo = evalica.elo(lefts, rights, winners, k=4.0)
logs = np.log(np.array([newman.scores[name] for name in NAMES]))
for thing, name in enumerate(NAMES):
    line("newman", "strength", thing, logs[thing] - logs.mean())
    line("elo", "score", thing, elo.scores[name])
line("newman", "v", newman.v)

for value, degrees in [(0.1, 1), (3.84, 1), (28.5, 1), (7.0, 3), (0.5, 10), (120.0, 64), (300.0, 2)]:
    line("chi_square_upper", "-", value, degrees, stats.chi2.sf(value, degrees))
for value, degrees in [(-0.001, 1), (1.0, 1), (-2.04, 30), (0.3, 2.5), (5.0, 4), (-12.0, 123), (2.0, 2138)]:
    line("student_cdf", "-", value, degrees, stats.t.cdf(value, degrees))
for probability, degrees in [(0.975, 1), (0.975, 30), (0.975, 123), (0.025, 29), (0.6, 3), (0.995, 5000)]:
    line("student_quantile", "-", probability, degrees, stats.t.ppf(probability, degrees))
