#pragma once
// Dense symmetric positive definite systems: what a Newton step and a covariance need.
//
// Matrices are square, row-major, n x n. Only the upper triangle is read unless said otherwise.
// Every sum has a fixed order, so the bits depend on neither threads nor SIMD width.
// Time: cholesky n^3/3, inverse n^3, sandwich 2 n^3 multiplications. Pure; any thread.

#include <cstddef>
#include <span>

namespace hone {
class ThreadPool;
}

namespace hone::quality {

inline constexpr size_t kPositiveDefinite = ~size_t{0};

// A = U^T U, U into the upper triangle. Returns kPositiveDefinite, or the first row whose pivot is
// below 1e-11 of its diagonal: that row hangs on the earlier ones (the content is then spoilt).
size_t cholesky(std::span<double> matrix, size_t n);

// x := A^-1 x from the factor.
void cholesky_solve(std::span<const double> factor, size_t n, std::span<double> x);

// The full (both triangles) inverse from the factor.
void cholesky_inverse(std::span<const double> factor, size_t n, std::span<double> inverse,
                      ThreadPool* pool = nullptr);

// out := inverse * middle * inverse, full and exactly symmetric; inverse full and symmetric, of
// middle the upper triangle is read. out may not be one of the inputs.
void sandwich_product(std::span<const double> inverse, std::span<const double> middle, size_t n,
                      std::span<double> out, ThreadPool* pool = nullptr);

}  // namespace hone::quality
