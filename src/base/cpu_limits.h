#pragma once
// How many cores this process may use, and which. Read from the affinity mask and from the CPU quota
// of the cgroup (v2 cpu.max, v1 cpu.cfs_quota_us). May be called from any thread.

#include <sys/types.h>

#include <cstddef>
#include <string_view>
#include <vector>

namespace hone {

// The cores of the affinity mask, ascending; at least one. The mask is read once, at the first call,
// because a pool narrows the mask of its own threads.
const std::vector<size_t>& allowed_cores();

// Lets a thread of this process (0 = the caller) run on those cores alone. A refusal by the system
// is not told: it costs speed only.
void run_on_cores(pid_t thread, const std::vector<size_t>& cores);

// While it lives the calling thread may run on all cores of the process, and so may a process that it
// starts: a pool pins its caller to one core, and a child would inherit that. Afterwards the thread is
// where it was.
class OnAllCores {
 public:
  OnAllCores();
  ~OnAllCores();
  OnAllCores(const OnAllCores&) = delete;
  OnAllCores& operator=(const OnAllCores&) = delete;

 private:
  std::vector<size_t> before_;
};

// Cores that a quota allows: "max 100000" and whatever cannot be read mean no quota (0), "150000
// 100000" means 1, never less than 1.
size_t cores_of_quota(std::string_view quota, std::string_view period);

}  // namespace hone
