#include "cli/memory.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <optional>

#include "base/error.h"
#include "cli/common.h"
#include "cli/ranks.h"
#include "llm/memory_plan.h"
#include "train/training_run.h"

namespace hone::cli {

namespace {

constexpr double kDefaultShare = 0.9;
// What no size tells: stacks, the kernels' scratch, the allocator's spare pages.
constexpr uint64_t kSpareBytes = 6 << 20;
// And in training, where the allocator keeps more of what came and went.
constexpr uint64_t kTrainingScratchBytes = 24 << 20;

std::optional<uint64_t> read_number(const std::string& path) {
  std::ifstream file(path);
  uint64_t value = 0;
  if (file >> value) return value;
  return std::nullopt;  // "max", or no such file
}

// "MemAvailable: 1234 kB" of a file of /proc, in bytes.
std::optional<uint64_t> read_field(const char* path, std::string_view field) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    if (line.compare(0, field.size(), field) != 0) continue;
    uint64_t value = 0;
    const size_t digits = line.find_first_of("0123456789");
    if (digits == std::string::npos) return std::nullopt;
    std::from_chars(line.data() + digits, line.data() + line.size(), value);
    return value * 1024;
  }
  return std::nullopt;
}

// The folders of this process's memory cgroup, from its own up to the root: a limit may stand at
// any of them. Version 2, then version 1.
std::optional<uint64_t> cgroup_available() {
  std::optional<uint64_t> least;
  const auto look = [&](const std::string& root, std::string path, const char* limit_name,
                        const char* used_name) {
    while (true) {
      const auto limit = read_number(root + path + limit_name);
      const auto used = read_number(root + path + used_name);
      if (limit && used) {
        const uint64_t left = *limit - std::min(*limit, *used);
        least = std::min(least.value_or(left), left);
      }
      if (path.empty() || path == "/") return;
      path.resize(path.rfind('/'));
    }
  };
  std::ifstream groups("/proc/self/cgroup");
  std::string line;
  while (std::getline(groups, line)) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string kinds = line.substr(first + 1, second - first - 1);
    std::string path = line.substr(second + 1);
    if (path == "/") path.clear();
    if (kinds.empty()) look("/sys/fs/cgroup", path, "/memory.max", "/memory.current");
    if (kinds == "memory") {
      look("/sys/fs/cgroup/memory", path, "/memory.limit_in_bytes", "/memory.usage_in_bytes");
    }
  }
  return least;
}

}  // namespace

uint64_t resident_memory() { return read_field("/proc/self/status", "VmRSS:").value_or(0); }

uint64_t available_memory() {
  const uint64_t machine = read_field("/proc/meminfo", "MemAvailable:").value_or(UINT64_MAX / 2);
  return std::min(machine, cgroup_available().value_or(machine));
}

std::string bytes_text(uint64_t bytes) {
  char text[32];
  const double gb = static_cast<double>(bytes) / 1e9;
  if (gb >= 1) {
    std::snprintf(text, sizeof text, "%.1f GB", gb);
  } else {
    std::snprintf(text, sizeof text, "%.0f MB", static_cast<double>(bytes) / 1e6);
  }
  return text;
}

uint64_t parse_size(std::string_view text, std::string_view option) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, status] = std::from_chars(text.data(), end, number);
  const std::string_view unit(stop, static_cast<size_t>(end - stop));
  const double scale = unit == "G" || unit == "GB"   ? 1e9
                       : unit == "M" || unit == "MB" ? 1e6
                       : unit == "K" || unit == "KB" ? 1e3
                       : unit.empty()                ? 1
                                                     : 0;
  if (status != std::errc() || scale == 0 || !(number > 0) || number * scale > 1e18) {
    throw invalid_input("--" + std::string(option) + " \"" + std::string(text) +
                        "\" is not a size: write 8G or 500M");
  }
  return static_cast<uint64_t>(number * scale);
}

MemoryPlan::MemoryPlan() {
  lasting_ = resident_memory() + kSpareBytes;
  parts_.emplace_back("program, words and rows", lasting_);
}

void MemoryPlan::add_model(const LoadedModel& opened) {
  const uint64_t packed = opened.memory.packed_bytes;
  parts_.emplace_back("weights", packed);
  lasting_ += packed;
  add_passing(opened.memory.loading_bytes - std::min(opened.memory.loading_bytes, packed));
}

void MemoryPlan::add(std::string what, uint64_t bytes) {
  if (bytes == 0) return;
  parts_.emplace_back(std::move(what), bytes);
  working_ += bytes;
}

void MemoryPlan::add_passing(uint64_t bytes) { passing_ = std::max(passing_, bytes); }

uint64_t MemoryPlan::peak_bytes() const { return lasting_ + std::max(working_, passing_); }

uint64_t MemoryPlan::lasting_bytes() const { return lasting_ + working_ - fleeting_; }

Json MemoryPlan::to_json() const {
  Json parts = Json::object();
  for (const auto& [what, bytes] : parts_) {  // two models have weights
    const Json* before = parts.find(what);
    parts[what] = bytes + (before == nullptr ? 0 : static_cast<uint64_t>(before->as_int()));
  }
  Json json = Json::object();
  json["peak_bytes"] = peak_bytes();
  if (fleeting_ > 0) json["lasting_bytes"] = lasting_bytes();
  json["parts"] = std::move(parts);
  return json;
}

std::string MemoryPlan::to_text() const {
  std::string text;
  for (const auto& [what, bytes] : parts_) {
    text += (text.empty() ? "" : ", ") + what + " " + bytes_text(bytes);
  }
  return bytes_text(peak_bytes()) + " (" + text + ")";
}

MemoryPlan training_memory(const LoadedModel& opened, const LoadedModel* reference,
                           const train::TrainConfig& config, size_t max_rows) {
  MemoryPlan plan;
  plan.add_model(opened);
  if (reference != nullptr) plan.add_model(*reference);
  if (config.lora_r == 0) {
    // Matrix by matrix the packed weights give way to f32.
    const uint64_t widened = llm::parameter_count(opened.model.config) * sizeof(float);
    plan.add("weights as f32", widened - std::min(widened, opened.memory.packed_bytes));
  }
  plan.add("gradients, moments and activations",
           train::planned_trained_bytes(opened.model.config, config, max_rows));
  plan.add("scratch of the threads", kTrainingScratchBytes);
  return plan;
}

uint64_t memory_limit(const CommonOptions& common) {
  if (!common.memory_limit.empty()) return parse_size(common.memory_limit, "memory-limit");
  const uint64_t available = available_memory() / ranks_here();
  return static_cast<uint64_t>(kDefaultShare * static_cast<double>(available + resident_memory()));
}

void check_memory(const CommonOptions& common, const MemoryPlan& plan, const std::string& work,
                  const std::string& how_to_lower) {
  const bool given = !common.memory_limit.empty();
  const uint64_t limit = memory_limit(common);
  if (plan.peak_bytes() <= limit) return;
  throw Error(ErrorCode::kTooLarge,
              work + " needs about " + plan.to_text() + ", and " + bytes_text(limit) +
                  (given ? " is the --memory-limit"
                         : " may be used (--memory-limit; by default 90 % of what is available)") +
                  ": " + how_to_lower);
}

}  // namespace hone::cli
