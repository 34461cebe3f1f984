#include "base/cpu_limits.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <string>

#include "base/thread_pool.h"

namespace hone {
namespace {

std::vector<size_t> read_affinity() {
  // The kernel refuses a mask smaller than its own; the bound is beyond any machine.
  for (size_t cpus = 1024; cpus <= 1 << 20; cpus *= 2) {
    cpu_set_t* set = CPU_ALLOC(cpus);
    size_t bytes = CPU_ALLOC_SIZE(cpus);
    std::vector<size_t> cores;
    if (sched_getaffinity(0, bytes, set) == 0) {
      for (size_t i = 0; i < cpus; ++i) {
        if (CPU_ISSET_S(i, bytes, set)) cores.push_back(i);
      }
    }
    CPU_FREE(set);
    // Pinning uses a cpu_set_t of fixed size: what lies beyond is left to others.
    cores.erase(
        std::remove_if(cores.begin(), cores.end(), [](size_t c) { return c >= CPU_SETSIZE; }),
        cores.end());
    if (!cores.empty()) return cores;
  }
  return {0};
}

// Where this process is in the hierarchy of a controller; "" names the unified one (cgroups(7)).
std::string cgroup_of(std::string_view controller) {
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    size_t first = line.find(':');
    size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    std::string list = "," + line.substr(first + 1, second - first - 1) + ",";
    if (list.find("," + std::string(controller) + ",") != std::string::npos) {
      return line.substr(second + 1);
    }
  }
  return "/";
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The smallest quota of a group and its parents; 0 = none. In a container the path of the host may
// not exist, then the root of what is mounted is the container's own group.
template <typename Quota>
size_t smallest_quota(const std::string& root, std::string group, const Quota& quota_at) {
  size_t smallest = 0;
  while (true) {
    size_t cores = quota_at(root + group);
    if (cores != 0) smallest = smallest == 0 ? cores : std::min(smallest, cores);
    size_t slash = group.rfind('/');
    if (group.empty() || slash == std::string::npos) return smallest;
    group.resize(slash);
  }
}

size_t quota_v2(const std::string& folder) {
  std::string line = first_line(folder + "/cpu.max");
  size_t space = line.find(' ');
  if (space == std::string::npos) return 0;
  return cores_of_quota(line.substr(0, space), line.substr(space + 1));
}

size_t quota_v1(const std::string& folder) {
  return cores_of_quota(first_line(folder + "/cpu.cfs_quota_us"),
                        first_line(folder + "/cpu.cfs_period_us"));
}

}  // namespace

const std::vector<size_t>& allowed_cores() {
  static const std::vector<size_t> cores = read_affinity();
  return cores;
}

void run_on_cores(pid_t thread, const std::vector<size_t>& cores) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (size_t core : cores) CPU_SET(core, &set);
  sched_setaffinity(thread, sizeof set, &set);
}

OnAllCores::OnAllCores() : before_(read_affinity()) { run_on_cores(0, allowed_cores()); }

OnAllCores::~OnAllCores() { run_on_cores(0, before_); }

size_t cores_of_quota(std::string_view quota, std::string_view period) {
  auto parse = [](std::string_view text) {
    int64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() ? value : 0;
  };
  int64_t quota_us = parse(quota);
  int64_t period_us = parse(period);
  if (quota_us <= 0 || period_us <= 0) return 0;
  return static_cast<size_t>(std::max<int64_t>(1, quota_us / period_us));
}

size_t usable_cores() {
  size_t cores = allowed_cores().size();
  size_t v2 = smallest_quota("/sys/fs/cgroup", cgroup_of(""), quota_v2);
  size_t v1 = smallest_quota("/sys/fs/cgroup/cpu", cgroup_of("cpu"), quota_v1);
  for (size_t quota : {v1, v2}) {
    if (quota != 0) cores = std::min(cores, quota);
  }
  return cores;
}

}  // namespace hone
