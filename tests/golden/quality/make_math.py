"""Witness values for src/quality/math.h: one line each, name, arguments, value (mpmath, 50 digits).

pip install mpmath; python make_math.py > math.txt
"""
import platform
import random

import mpmath
from mpmath import mp, mpf

mp.dps = 50
random.seed(4)
print(f"# python {platform.python_version()} mpmath {mpmath.__version__}")


def line(name, *numbers):
    print(name, *[repr(float(number)) for number in numbers])


def log_uniform(low, high):
    return float(mp.exp(mpf(random.uniform(float(mp.log(low)), float(mp.log(high))))))


points = [random.uniform(-745, 709) for _ in range(60)] + [random.uniform(-1, 1) for _ in range(40)]
for x in points + [0.0, 1e-300, -1e-17, 0.34657359, -0.34657359, 709.78, -708.5, -744.9]:
    line("exp", x, mp.exp(mpf(x)))
points = [log_uniform(1e-307, 1e308) for _ in range(40)] + [random.uniform(0.4, 2.1) for _ in range(60)]
for x in points + [5e-324, 1e-310, 1.0, 1 + 2**-52, 1 - 2**-53, 0.7071067811865475, 1.4142135623730951]:
    line("log", x, mp.log(mpf(x)))
points = [random.uniform(-0.999, 2) for _ in range(60)] + [log_uniform(1e-20, 1e20) for _ in range(40)]
points += [-log_uniform(1e-20, 0.99) for _ in range(20)]
for x in points + [1e-310, -1 + 2**-53, 1.0, -0.5]:
    line("log1p", x, mp.log1p(mpf(x)))
for x in [random.uniform(-40, 40) for _ in range(60)] + [0.0, -700.0, 36.9, 1e-9]:
    line("sigmoid", x, 1 / (1 + mp.exp(-mpf(x))))
    line("log_sigmoid", x, -mp.log1p(mp.exp(-mpf(x))))
points = [log_uniform(1e-10, 1e10) for _ in range(60)] + [random.uniform(0.01, 20) for _ in range(60)]
for x in points + [0.5, 1.0, 1.4616321449683623, 2.0, 8.0, 7.999999, 1e15]:
    line("digamma", x, mp.digamma(mpf(x)))
    line("lgamma", x, mp.loggamma(mpf(x)))
for _ in range(80):
    a, b = log_uniform(0.05, 2e3), log_uniform(0.05, 2e3)
    x = min(max(a / (a + b) + random.gauss(0, 1) * 0.5 / (a + b + 1) ** 0.5, 1e-4), 1 - 1e-4)
    x = float(x)
    line("incomplete_beta", a, b, x, mp.betainc(mpf(a), mpf(b), 0, mpf(x), regularized=True))
for _ in range(60):
    a = log_uniform(0.05, 2e3)
    x = max(1e-3, a + random.gauss(0, 2) * a**0.5)
    line("incomplete_gamma", a, x, mp.gammainc(mpf(a), 0, mpf(x), regularized=True),
         mp.gammainc(mpf(a), mpf(x), mp.inf, regularized=True))
