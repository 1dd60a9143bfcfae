// The inverse and the eigenvectors of small symmetric matrices, in rows one after the other.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace rsmoe::cpu {

// Smallest pivot of a correlation, whose diagonal is 1. Smaller pivots are raised to it, as the correlation may be
// singular; a larger value would change correlations that are not.
inline constexpr double kLeastPivot = 1e-6;
// Sweeps of Jacobi's rotations. Matrices of up to seven rows are diagonal to double precision after so many; fewer
// leave components correlated.
inline constexpr int kSweeps = 8;

// Inverts a correlation of n rows by the Cholesky factor L: L^-1 is computed column by column, then L^-T L^-1.
inline void invert(const float* matrix, int n, float* inverse) {
  const auto at = [n](int row, int column) {
    return static_cast<size_t>(row) * static_cast<size_t>(n) + static_cast<size_t>(column);
  };
  std::vector<double> l(at(n, 0)), right(l.size());
  for (int i = 0; i < n; ++i)
    for (int j = 0; j <= i; ++j) {
      double sum = matrix[at(i, j)];
      for (int k = 0; k < j; ++k) sum -= l[at(i, k)] * l[at(j, k)];
      l[at(i, j)] = i == j ? std::sqrt(std::max(sum, kLeastPivot)) : sum / l[at(j, j)];
    }
  for (int column = 0; column < n; ++column)
    for (int i = column; i < n; ++i) {
      double sum = i == column ? 1.0 : 0.0;
      for (int k = column; k < i; ++k) sum -= l[at(i, k)] * right[at(k, column)];
      right[at(i, column)] = sum / l[at(i, i)];
    }
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j) {
      double sum = 0;
      for (int k = std::max(i, j); k < n; ++k) sum += right[at(k, i)] * right[at(k, j)];
      inverse[at(i, j)] = static_cast<float>(sum);
    }
}

// The eigenvectors of a matrix of n rows, in columns, by Jacobi's rotations.
inline std::vector<double> eigenvectors(std::vector<double> matrix, size_t n) {
  std::vector<double> vectors(n * n);
  for (size_t i = 0; i < n; ++i) vectors[i * n + i] = 1;
  for (int sweep = 0; sweep < kSweeps; ++sweep)
    for (size_t p = 0; p + 1 < n; ++p)
      for (size_t q = p + 1; q < n; ++q) {
        const double off = matrix[p * n + q];
        if (off == 0 || !std::isfinite(off)) continue;
        const double ratio = (matrix[q * n + q] - matrix[p * n + p]) / (2 * off);
        const double tangent = std::copysign(1.0, ratio) / (std::fabs(ratio) + std::hypot(1.0, ratio));
        const double cosine = 1 / std::hypot(1.0, tangent), sine = tangent * cosine;
        const auto turn = [&](double& a, double& b) {
          const double before = a;
          a = cosine * before - sine * b;
          b = sine * before + cosine * b;
        };
        for (size_t i = 0; i < n; ++i) turn(matrix[i * n + p], matrix[i * n + q]);
        for (size_t i = 0; i < n; ++i) turn(matrix[p * n + i], matrix[q * n + i]);
        for (size_t i = 0; i < n; ++i) turn(vectors[i * n + p], vectors[i * n + q]);
      }
  return vectors;
}

}  // namespace rsmoe::cpu
