#include "quality/linear_algebra.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/check.h"
#include "base/thread_pool.h"

namespace hone::quality {
namespace {

constexpr double kPivotLeast = 1e-11;
constexpr size_t kPanel = 4;      // rows of U applied to the rest in one pass over it
constexpr size_t kColumns = 128;  // columns of an inverse or a product per task

void run(ThreadPool* pool, size_t tasks, const auto& body) {
  if (pool != nullptr && tasks > 1) {
    pool->run(tasks, [&](size_t task, size_t) { body(task); });
  } else {
    for (size_t task = 0; task < tasks; ++task) body(task);
  }
}

// y -= a x
void subtract(double a, const double* x, double* y, size_t n) {
  for (size_t j = 0; j < n; ++j) y[j] -= a * x[j];
}

}  // namespace

size_t cholesky(std::span<double> matrix, size_t n) {
  HONE_CHECK(matrix.size() == n * n);
  std::vector<double> least(n);
  for (size_t i = 0; i < n; ++i) least[i] = kPivotLeast * matrix[i * n + i];
  double* a = matrix.data();
  for (size_t first = 0; first < n; first += kPanel) {
    const size_t last = std::min(n, first + kPanel);
    for (size_t i = first; i < last; ++i) {
      double* row = a + i * n;
      for (size_t k = first; k < i; ++k) subtract(a[k * n + i], a + k * n + i, row + i, n - i);
      if (!(row[i] > least[i]) || !(row[i] > 0.0)) return i;
      const double root = std::sqrt(row[i]);
      row[i] = root;
      for (size_t j = i + 1; j < n; ++j) row[j] /= root;
    }
    if (last - first < kPanel) break;
    const double *u0 = a + first * n, *u1 = u0 + n, *u2 = u1 + n, *u3 = u2 + n;
    for (size_t i = last; i < n; ++i) {
      const double c0 = u0[i], c1 = u1[i], c2 = u2[i], c3 = u3[i];
      double* row = a + i * n;
      for (size_t j = i; j < n; ++j) {
        row[j] -= (c0 * u0[j] + c1 * u1[j]) + (c2 * u2[j] + c3 * u3[j]);
      }
    }
  }
  return kPositiveDefinite;
}

void cholesky_solve(std::span<const double> factor, size_t n, std::span<double> x) {
  HONE_CHECK(factor.size() == n * n && x.size() == n);
  const double* u = factor.data();
  for (size_t i = 0; i < n; ++i) {
    x[i] /= u[i * n + i];
    subtract(x[i], u + i * n + i + 1, x.data() + i + 1, n - i - 1);
  }
  for (size_t i = n; i-- > 0;) {
    double sum = x[i];
    for (size_t j = i + 1; j < n; ++j) sum -= u[i * n + j] * x[j];
    x[i] = sum / u[i * n + i];
  }
}

void cholesky_inverse(std::span<const double> factor, size_t n, std::span<double> inverse,
                      ThreadPool* pool) {
  HONE_CHECK(factor.size() == n * n && inverse.size() == n * n);
  const double* u = factor.data();
  double* out = inverse.data();
  run(pool, (n + kColumns - 1) / kColumns, [&](size_t task) {
    const size_t from = task * kColumns, width = std::min(kColumns, n - from);
    for (size_t i = 0; i < n; ++i) {  // U^T Y = I, a strip of columns
      double* row = out + i * n + from;
      for (size_t j = 0; j < width; ++j) row[j] = from + j == i ? 1.0 : 0.0;
      if (i < from) continue;  // nothing above the diagonal block
      for (size_t k = from; k < i; ++k) subtract(u[k * n + i], out + k * n + from, row, width);
      for (size_t j = 0; j < width; ++j) row[j] /= u[i * n + i];
    }
    for (size_t i = n; i-- > 0;) {  // U X = Y
      double* row = out + i * n + from;
      for (size_t k = i + 1; k < n; ++k) subtract(u[i * n + k], out + k * n + from, row, width);
      for (size_t j = 0; j < width; ++j) row[j] /= u[i * n + i];
    }
  });
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = i + 1; j < n; ++j) {
      const double mean = 0.5 * (out[i * n + j] + out[j * n + i]);
      out[i * n + j] = mean;
      out[j * n + i] = mean;
    }
  }
}

void sandwich_product(std::span<const double> inverse, std::span<const double> middle, size_t n,
                      std::span<double> out, ThreadPool* pool) {
  HONE_CHECK(inverse.size() == n * n && middle.size() == n * n && out.size() == n * n);
  std::vector<double> full(middle.begin(), middle.end());
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = i + 1; j < n; ++j) full[j * n + i] = full[i * n + j];
  }
  std::vector<double> half(n * n);
  const auto multiply = [&](const double* x, const double* y, double* z) {
    run(pool, (n + kColumns - 1) / kColumns, [&](size_t task) {
      const size_t from = task * kColumns, last = std::min(n, from + kColumns);
      for (size_t i = from; i < last; ++i) {
        double* row = z + i * n;
        std::fill(row, row + n, 0.0);
        for (size_t k = 0; k < n; ++k) subtract(-x[i * n + k], y + k * n, row, n);
      }
    });
  };
  multiply(inverse.data(), full.data(), half.data());
  multiply(half.data(), inverse.data(), out.data());
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = i + 1; j < n; ++j) {
      const double mean = 0.5 * (out[i * n + j] + out[j * n + i]);
      out[i * n + j] = mean;
      out[j * n + i] = mean;
    }
  }
}

}  // namespace hone::quality
