"""Witness values for src/quality: one line each, name, arguments, value.

pip install scipy statsmodels numpy; python make_quality.py > quality.txt
The bootstrap lines hold SciPy's interval of its own 200,000 rounds: compared with a tolerance.
"""
import platform

import numpy as np
import scipy
import statsmodels
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

print(f"# python {platform.python_version()} scipy {scipy.__version__} "
      f"statsmodels {statsmodels.__version__} numpy {np.__version__}")


def line(name, *numbers):
    print(name, *[repr(float(number)) for number in numbers])


for x in [-37, -20, -8.5, -5, -3.0001, -3, -2.9999, -1.96, -1, -0.3, -1e-9, 0, 0.1, 0.7, 1.5, 2.5, 3,
          3.5, 6, 9, 37.5]:
    line("normal_cdf", x, stats.norm.cdf(x))
    line("normal_pdf", x, stats.norm.pdf(x))
for p in [1e-300, 1e-100, 1e-15, 1e-6, 0.001, 0.0249, 0.025, 0.1, 0.3, 0.49, 0.5, 0.6, 0.8, 0.9, 0.975,
          0.995, 0.999999]:
    line("normal_quantile", p, stats.norm.ppf(p))

for b, c in [(0, 0), (0, 1), (1, 0), (5, 0), (0, 6), (3, 9), (10, 10), (30, 12), (121, 59), (500, 420),
             (5000, 5300), (2, 2000), (60000, 61000)]:
    n, k = b + c, min(b, c)
    exact = mcnemar([[0, b], [c, 0]], exact=True).pvalue if n else 1.0
    mid = min(1.0, 2 * (stats.binom.cdf(k, n, 0.5) - 0.5 * stats.binom.pmf(k, n, 0.5))) if n else 1.0
    line("mcnemar", b, c, min(1.0, exact), mid)

for k, n, level in [(0, 10, 0.95), (10, 10, 0.95), (1, 10, 0.95), (37, 60, 0.95), (512, 1000, 0.99),
                    (3, 100000, 0.9), (30.5, 64, 0.95)]:
    low, high = proportion_confint(k, n, alpha=1 - level, method="wilson")
    line("wilson", k, n, level, low, high)


def needed_rate(d, s, alpha, power):
    s = max(s, d)
    a, b = stats.norm.ppf(1 - alpha / 2), stats.norm.ppf(power)
    return (a * np.sqrt(s) + b * np.sqrt(s - d * d)) ** 2 / (d * d)


for d, s, alpha, power in [(0.05, 0.2, 0.05, 0.8), (0.05, 0.0, 0.05, 0.8), (0.02, 0.1, 0.01, 0.9),
                           (0.3, 0.4, 0.05, 0.8)]:
    line("items_needed_rate", d, s, alpha, power, np.ceil(needed_rate(d, s, alpha, power)))
for n, s in [(1319, 0.2), (1838, 0.2), (60, 0.4), (200, 0.0), (3, 0.5), (20, 1.0)]:
    f = lambda d: needed_rate(d, s, 0.05, 0.8) - n
    line("smallest_detectable_rate", n, s, optimize.brentq(f, 1e-9, 1.0, xtol=1e-15) if f(1.0) < 0 else 1.0)

# Differences that any program can make: a skewed, deterministic series.
for n in [30, 200]:
    data = np.array([((i * 7919) % 101 / 50.0 - 0.8) ** 3 + 0.02 for i in range(n)])
    for method in ["percentile", "bca"]:
        ci = stats.bootstrap((data,), np.mean, n_resamples=200000, method=method.upper() if method == "bca" else method,
                             random_state=7, batch=1000).confidence_interval
        line("bootstrap_" + method, n, data.mean(), ci.low, ci.high)
