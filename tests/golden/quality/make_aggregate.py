"""Witness values for src/quality/aggregate.h: a table of our own and what NumPy and SciPy make of it,
every method written down plainly (crowd-kit stops too early to be compared with to many digits: 1.4.2's
Dawid-Skene ends at the first fall of its bound).

pip install numpy scipy; python make_aggregate.py > aggregate.txt
  label TASK WORKER LABEL              the table
  posterior METHOD TASK p0 p1 p2       at the fixed point; ibcc with the stop of its authors
  skill METHOD WORKER value
  objective METHOD value
"""
import platform
import random

import numpy as np
import scipy
from scipy.optimize import minimize
from scipy.special import digamma, gammaln

print(f"# python {platform.python_version()} numpy {np.__version__} scipy {scipy.__version__}")
random.seed(11)
K, TASKS, WORKERS = 3, 60, 9
rows = []
for task in range(TASKS):
    truth = random.randrange(K)
    for worker in random.sample(range(WORKERS), 5):
        right = 0.9 - 0.06 * worker
        said = truth if random.random() < right else random.choice([k for k in range(K) if k != truth])
        rows.append((f"t{task:02d}", f"w{worker}", str(said)))
for row in rows:
    print("label", *row)

tasks, workers = sorted({row[0] for row in rows}), sorted({row[1] for row in rows})
t = np.array([tasks.index(row[0]) for row in rows])
w = np.array([workers.index(row[1]) for row in rows])
l = np.array([int(row[2]) for row in rows])


def posterior(method, table):
    for name, row in zip(tasks, np.asarray(table)):
        print("posterior", method, name, *[repr(float(p)) for p in row])


def skill(method, values):
    for name, value in zip(workers, values):
        print("skill", method, name, repr(float(value)))


shares = np.zeros((TASKS, K))
np.add.at(shares, (t, l), 1)
shares /= shares.sum(1, keepdims=True)
posterior("majority", shares)
# Wawa: a tie of n classes is 1/n of an agreement with each.
tied = shares == shares.max(1, keepdims=True)
agree = (tied / tied.sum(1, keepdims=True))[t, l]
weights = np.bincount(w, agree) / np.bincount(w)
votes = np.zeros((TASKS, K))
np.add.at(votes, (t, l), weights[w])
posterior("wawa", votes / votes.sum(1, keepdims=True))
skill("wawa", weights)


def e_step(logs, prior):  # logs: worker, truth, said
    score = np.tile(prior, (TASKS, 1))
    np.add.at(score, t, logs[w, :, l])
    most = score.max(1, keepdims=True)
    total = np.exp(score - most).sum(1, keepdims=True)
    return np.exp(score - most) / total, float((most + np.log(total)).sum())


eye = np.eye(K, dtype=bool)
# Dawid-Skene.
T = shares
for _ in range(20000):
    N = np.zeros((WORKERS, K, K))
    np.add.at(N, (w, slice(None), l), T[t])
    N = np.maximum(N, 1e-10)
    T, likelihood = e_step(np.log(N / N.sum(2, keepdims=True)), np.log(T.mean(0)))
posterior("dawid-skene", T)
print("objective", "dawid-skene", repr(likelihood))

# One-coin.
T = shares
for _ in range(20000):
    s = np.bincount(w, T[t, l]) / np.bincount(w)
    logs = np.log(np.where(eye, s[:, None, None], (1 - s[:, None, None]) / (K - 1)))
    T, likelihood = e_step(logs, np.log(T.mean(0)))
posterior("one-coin", T)
skill("one-coin", s)
print("objective", "one-coin", repr(likelihood))


# GLAD: the marginal posterior density by SciPy's BFGS.
def glad(parameters):
    alphas, betas = parameters[:WORKERS], parameters[WORKERS:]
    x = alphas[w] * np.exp(betas[t])
    score = np.zeros((TASKS, K)) - np.log(K)
    for k in range(K):
        np.add.at(score[:, k], t, np.where(l == k, -np.logaddexp(0, -x),
                                           -np.logaddexp(0, x) - np.log(K - 1)))
    most = score.max(1, keepdims=True)
    total = np.exp(score - most).sum(1, keepdims=True)
    T = np.exp(score - most) / total
    rest = T[t, l] - 1 / (1 + np.exp(-x))
    slope = np.concatenate([np.bincount(w, rest * np.exp(betas[t])), np.bincount(t, rest * x)])
    value = (most + np.log(total)).sum() - 0.5 * ((parameters - 1) ** 2).sum()
    return -value, -(slope - (parameters - 1)), T


found = minimize(lambda p: glad(p)[:2], np.ones(WORKERS + TASKS), jac=True, method="BFGS",
                 options={"gtol": 1e-10, "maxiter": 10000})
posterior("glad", glad(found.x)[2])
skill("glad", found.x[:WORKERS])
print("objective", "glad", repr(float(-found.fun)))

# ZenCrowd to its fixed point.
s = np.full(WORKERS, 0.8)
for _ in range(5000):
    logs = np.log(np.where(eye, s[:, None, None], (1 - s[:, None, None]) / (K - 1)))
    T, likelihood = e_step(logs, np.full(K, -np.log(K)))
    s = np.bincount(w, T[t, l]) / np.bincount(w)
posterior("zencrowd", T)
skill("zencrowd", s)
print("objective", "zencrowd", repr(likelihood))

# iBCC with the stop of its authors.
T = shares
A = np.where(eye, 4.0, 1.0)
while True:
    N = np.zeros((WORKERS, K, K))
    np.add.at(N, (w, slice(None), l), T[t])
    logs = digamma(N + A) - digamma((N + A).sum(2, keepdims=True))
    prior = digamma(T.sum(0) + 1) - digamma(TASKS + K)
    old = T
    T, _ = e_step(logs, prior)
    if np.abs(T - old).max() < 1e-3:
        break
posterior("ibcc", T)
N = np.zeros((WORKERS, K, K))
np.add.at(N, (w, slice(None), l), T[t])
total = (N + A).sum(2)
logs = digamma(N + A) - digamma(total)[:, :, None]
prior = digamma(T.sum(0) + 1) - digamma(TASKS + K)
divergence = (gammaln(total) - gammaln(A.sum(1))).sum() + (gammaln(A) - gammaln(N + A) + N * logs).sum()
divergence += (gammaln(TASKS + K) - gammaln(K) - gammaln(T.sum(0) + 1) + T.sum(0) * prior).sum() \
    - (K - 1) * (gammaln(TASKS + K) - gammaln(K))
print("objective", "ibcc", repr(float(e_step(logs, prior)[1] - divergence)))

# MACE, both forms, from an even start to the fixed point.
for name, variational in (("mace", False), ("mace-vb", True)):
    know, spam, guess = np.full(WORKERS, 0.5), np.full(WORKERS, 0.5), np.full((WORKERS, K), 1 / K)
    for _ in range(20000):
        out = spam[:, None] * guess
        p = np.where(eye, (know[:, None] + out)[:, None, :], out[:, None, :])
        T, likelihood = e_step(np.log(p), np.full(K, -np.log(K)))
        known = T[t, l] * (know[w] / (know[w] + out[w, l]))
        knows = np.bincount(w, known)
        guesses = np.zeros((WORKERS, K))
        np.add.at(guesses, (w, l), 1 - known)
        g = guesses.sum(1)
        a, b = (0.5, 10.0) if variational else (0.01 / K, 0.01 / K)
        if variational:
            know = np.exp(digamma(knows + a) - digamma(knows + g + 2 * a))
            spam = np.exp(digamma(g + a) - digamma(knows + g + 2 * a))
            guess = np.exp(digamma(guesses + b) - digamma(g + K * b)[:, None])
        else:
            know, spam = (knows + a) / (knows + g + 2 * a), (g + a) / (knows + g + 2 * a)
            guess = (guesses + b) / (g + K * b)[:, None]
    posterior(name, T)
    skill(name, (knows + a) / (knows + g + 2 * a))
    if not variational:
        print("objective", name, repr(likelihood))
