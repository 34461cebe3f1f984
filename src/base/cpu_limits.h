#pragma once
// How many cores this process may use, and which. Read from the affinity mask and from the CPU quota
// of the cgroup (v2 cpu.max, v1 cpu.cfs_quota_us). May be called from any thread.

#include <cstddef>
#include <string_view>
#include <vector>

namespace hone {

// The cores of the affinity mask, ascending; at least one. The mask is read once, at the first call,
// because a pool narrows the mask of its own threads.
const std::vector<size_t>& allowed_cores();

// Cores that a quota allows: "max 100000" and whatever cannot be read mean no quota (0), "150000
// 100000" means 1, never less than 1.
size_t cores_of_quota(std::string_view quota, std::string_view period);

}  // namespace hone
