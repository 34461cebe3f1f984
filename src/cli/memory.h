#pragma once
// The peak memory of a command: said before the work starts, and refused above --memory-limit
// (decisions 2.2). What the process holds already (program, words, rows) is measured; what will
// come is computed from sizes by the room that will take it.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "train/config.h"

namespace hone::cli {

struct CommonOptions;
struct LoadedModel;

class MemoryPlan {
 public:
  MemoryPlan();  // begins with what the process holds now

  // The weights of an opened model, as they are or will be packed.
  void add_model(const LoadedModel& opened);
  // What the work itself takes, all of it at the same time.
  void add(std::string what, uint64_t bytes);
  // What is taken and given back before the work begins; only the largest one counts.
  void add_passing(uint64_t bytes);

  // Of what add() said: what comes only while it is needed, and goes back to the machine.
  void add_fleeting(uint64_t bytes) { fleeting_ += bytes; }

  uint64_t peak_bytes() const;
  uint64_t lasting_bytes() const;  // without what is fleeting
  Json to_json() const;            // {"peak_bytes", "lasting_bytes" when it is less, "parts": {..}}
  std::string to_text() const;     // "1.2 GB (weights 93 MB, activations 400 MB, ...)"

 private:
  std::vector<std::pair<std::string, uint64_t>> parts_;
  uint64_t lasting_ = 0, working_ = 0, passing_ = 0, fleeting_ = 0;
};

// Of training: the model (as f32 when all weights are trained), a reference model or null, gradients,
// moments and the activations of a pass of max_rows rows.
MemoryPlan training_memory(const LoadedModel& opened, const LoadedModel* reference,
                           const train::TrainConfig& config, size_t max_rows);

// What a command may take: --memory-limit, else a share of what is available.
uint64_t memory_limit(const CommonOptions& common);

// Throws too_large with the numbers and the option that lowers them when the peak is above the
// limit. `work` begins the sentence: "hone generate".
void check_memory(const CommonOptions& common, const MemoryPlan& plan, const std::string& work,
                  const std::string& how_to_lower);

uint64_t resident_memory();   // bytes: what this process holds
uint64_t available_memory();  // bytes: what the cgroup or the machine still has

// "8G", "500M", "1.5GB" or a number of bytes. Throws invalid_input that names the option.
uint64_t parse_size(std::string_view text, std::string_view option);
std::string bytes_text(uint64_t bytes);  // "5.2 GB"

}  // namespace hone::cli
