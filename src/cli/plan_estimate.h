#pragma once
// How long a training will take and what it will cost, from a few steps that were measured here and
// a description of the machines that will do it. Pure arithmetic; hone plan train measures
// (cli/plan_command.cc).
//
// A run takes what three probes say apart: what every run takes once (load), what each row takes before
// the first step (tokens, reference log-probabilities), and what a step takes. On other machines the
// last two shrink with the machines' multiply-adds a second; with several machines each step adds the
// exchange of the gradients, 8 bytes each (decisions 1.7: sums of integers), of which a ring sends and
// receives 2 (n - 1) / n.

#include <cstdint>
#include <string>

#include "base/json.h"

namespace hone::cli {

// A cluster of equal machines. What is 0 is not known.
struct Machines {
  size_t count = 1;
  size_t cores = 0;            // of each
  double gflops_per_core = 0;  // f32, a multiply-add is two operations
  uint64_t memory_bytes = 0;   // of each
  double network_gbit = 0;     // a second, each machine's
  double price_per_hour = 0;   // of each
  std::string currency = "USD";

  double flops() const { return static_cast<double>(cores) * gflops_per_core * 1e9; }  // of each
};
// {"count", "cores", "gflops_per_core", "memory": "64G", "network_gbit", "price_per_hour",
// "currency"}; unknown, missing and impossible fields are invalid_input that names them. `where` begins the
// sentence.
Machines machines_from_json(const Json& json, const std::string& where);

// Three probes: of a few rows and one step, of the same rows and more steps, of fewer rows.
struct Probe {
  size_t rows = 0, steps = 0;
  double seconds = 0;
};
struct Rates {
  double load_s = 0, row_s = 0, step_s = 0;
};
// few: one step over few rows; rows: one step over more rows; steps: more steps over those.
// Noise below nothing counts as nothing.
Rates rates_of(const Probe& few, const Probe& rows, const Probe& steps);

struct Estimate {
  double prepare_s = 0, step_s = 0, exchange_s = 0,
         total_s = 0;  // of the whole run; exchange a step
  double machine_hours = 0, cost = 0;
  bool fits = true;

  Json to_json() const;
};
// here_flops: of the machine that was measured; gradient_bytes: what the ranks exchange in a step.
Estimate estimate(const Rates& rates, size_t rows, size_t steps, double here_flops,
                  uint64_t memory_bytes, uint64_t gradient_bytes, const Machines& machines);

}  // namespace hone::cli
