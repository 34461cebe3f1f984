#pragma once
// Counters and histograms of what was answered, for /metrics. Names no tenant, key or model of one.
// Any thread.

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

#include "serve/engine.h"

namespace hone::openai {

class Histogram {
 public:
  void add(double seconds);
  // Lines of Prometheus' text form.
  void write(std::string& out, std::string_view name, std::string_view help) const;

 private:
  static constexpr std::array<double, 14> kBounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                     0.25,  0.5,    1,     2.5,  5,     10,   30};
  std::array<std::atomic<uint64_t>, kBounds.size() + 1> buckets_ = {};
  std::atomic<uint64_t> sum_us_{0};
};

struct Metrics {
  Histogram first_token;     // from the request to its first token
  Histogram between_tokens;  // of one sample
  Histogram whole;           // from the request to its answer's end
  std::atomic<uint64_t> answered{0}, failed{0}, dropped{0};
};

std::string metrics_text(const Metrics& metrics, const serve::EngineMetrics& engine,
                         size_t adapters);

}  // namespace hone::openai
