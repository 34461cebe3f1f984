#pragma once
// The ranks of a run: the processes, on one machine or several, that compute its steps together.
//
// Every call is made by all ranks, in the same order, from one thread each; it returns when the
// answer is there. Sums are of integers, so no order of adding and no number of ranks changes a bit.
// Throws unavailable when another rank is gone.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hone::train {

class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual size_t rank() const = 0;  // 0 to size() - 1
  virtual size_t size() const = 0;

  // Each value becomes its sum over all ranks.
  virtual void sum(std::span<int64_t> values) = 0;
  // What rank 0 gives is what every rank gets; what the others give is not looked at.
  virtual std::string broadcast(std::string bytes) = 0;
  // The bytes of every rank, in their order.
  virtual std::vector<std::string> gather(std::string bytes) = 0;

  // Rank 0 writes the run's folder and speaks to whoever watches.
  bool leads() const { return rank() == 0; }
  // True on every rank when it is on one.
  bool any(bool here);
};

// A run in one process, which waits for nobody.
Communicator& one_rank();

// Consecutive units for each rank, with about equal sums of `sizes`: rank r takes
// [begin[r], begin[r + 1]).
std::vector<size_t> deal(std::span<const size_t> sizes, size_t ranks);
// The same for units of unknown size.
std::vector<size_t> deal(size_t units, size_t ranks);

}  // namespace hone::train
