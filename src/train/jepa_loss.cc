#include "train/jepa_loss.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/check.h"
#include "tensor/math.h"

namespace hone::train {

namespace {

constexpr std::string_view kNames[] = {"cosine", "l2", "mse", "infonce"};

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t k = 0; k < a.size(); ++k)
    sum += static_cast<double>(a[k]) * static_cast<double>(b[k]);
  return sum;
}

struct Norm {
  double of = 0;      // never below the floor
  bool held = false;  // at the floor, where it has no gradient
};

Norm norm(std::span<const float> a, double floor) {
  const double of = std::sqrt(dot(a, a));
  return of < floor ? Norm{floor, true} : Norm{of, false};
}

// d += slope * d cos(a, b) / d a.
void add_cosine_slope(std::span<const float> a, const Norm& na, std::span<const float> b,
                      const Norm& nb, double cosine, double slope, std::vector<double>& d) {
  const double across = slope / (na.of * nb.of);
  const double along = na.held ? 0 : slope * cosine / (na.of * na.of);
  for (size_t k = 0; k < a.size(); ++k) {
    d[k] += across * static_cast<double>(b[k]) - along * static_cast<double>(a[k]);
  }
}

}  // namespace

std::string_view name(JepaLossType type) { return kNames[static_cast<size_t>(type)]; }

std::optional<JepaLossType> jepa_loss_from_name(std::string_view name) {
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (kNames[i] == name) return static_cast<JepaLossType>(i);
  }
  return std::nullopt;
}

JepaLoss jepa_loss(JepaLossType type, std::span<const float> u, std::span<const float> v) {
  HONE_CHECK(u.size() == v.size() && type != JepaLossType::kInfoNce);
  JepaLoss out;
  out.du.assign(u.size(), 0.0);
  out.dv.assign(u.size(), 0.0);
  const Norm nu = norm(u, 1e-8), nv = norm(v, 1e-8);
  out.cosine = dot(u, v) / (nu.of * nv.of);
  if (type == JepaLossType::kCosine) {
    out.value = 1 - out.cosine;
    add_cosine_slope(u, nu, v, nv, out.cosine, -1, out.du);
    add_cosine_slope(v, nv, u, nu, out.cosine, -1, out.dv);
    return out;
  }
  double squares = 0;
  for (size_t k = 0; k < u.size(); ++k) {
    const double d = static_cast<double>(u[k]) - static_cast<double>(v[k]);
    squares += d * d;
  }
  const double n = static_cast<double>(u.size()), distance = std::sqrt(squares);
  const bool is_l2 = type == JepaLossType::kL2;
  out.value = is_l2 ? distance : squares / n;
  const double slope = !is_l2 ? 2 / n : distance > 0 ? 1 / distance : 0;
  for (size_t k = 0; k < u.size(); ++k) {
    out.du[k] = slope * (static_cast<double>(u[k]) - static_cast<double>(v[k]));
    out.dv[k] = -out.du[k];
  }
  return out;
}

std::vector<JepaLoss> jepa_infonce(std::span<const std::vector<float>> u,
                                   std::span<const std::vector<float>> v,
                                   std::span<const double> weights, double temperature) {
  HONE_CHECK(u.size() == v.size() && weights.size() == u.size());
  constexpr double kFloor = 1e-12;
  const size_t rows = u.size();
  std::vector<Norm> nu, nv;
  for (size_t i = 0; i < rows; ++i) {
    nu.push_back(norm(u[i], kFloor));
    nv.push_back(norm(v[i], kFloor));
  }
  std::vector<JepaLoss> out(rows);
  for (size_t i = 0; i < rows; ++i) {
    out[i].du.assign(u[i].size(), 0.0);
    out[i].dv.assign(v[i].size(), 0.0);
  }
  std::vector<double> cosines(rows), shares(rows);
  for (size_t i = 0; i < rows; ++i) {
    double most = -INFINITY, sum = 0;
    for (size_t j = 0; j < rows; ++j) {
      cosines[j] = dot(u[i], v[j]) / (nu[i].of * nv[j].of);
      most = std::max(most, cosines[j] / temperature);
    }
    for (size_t j = 0; j < rows; ++j) {
      shares[j] = tensor::exp_f64(cosines[j] / temperature - most);
      sum += shares[j];
    }
    out[i].cosine = cosines[i];
    out[i].value = tensor::log_f64(sum) + most - cosines[i] / temperature;
    for (size_t j = 0; j < rows; ++j) {
      const double slope = weights[i] * (shares[j] / sum - (i == j ? 1 : 0)) / temperature;
      add_cosine_slope(u[i], nu[i], v[j], nv[j], cosines[j], slope, out[i].du);
      add_cosine_slope(v[j], nv[j], u[i], nu[i], cosines[j], slope, out[j].dv);
    }
  }
  return out;
}

}  // namespace hone::train
