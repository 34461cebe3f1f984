#include "train/communicator.h"

#include "base/check.h"

namespace hone::train {

namespace {

class OneRank : public Communicator {
 public:
  size_t rank() const override { return 0; }
  size_t size() const override { return 1; }
  void sum(std::span<int64_t>) override {}
  std::string broadcast(std::string bytes) override { return bytes; }
  std::vector<std::string> gather(std::string bytes) override { return {std::move(bytes)}; }
};

}  // namespace

bool Communicator::any(bool here) {
  int64_t count = here ? 1 : 0;
  sum({&count, 1});
  return count > 0;
}

Communicator& one_rank() {
  static OneRank alone;  // has no state
  return alone;
}

std::vector<size_t> deal(std::span<const size_t> sizes, size_t ranks) {
  HONE_CHECK(ranks > 0);
  size_t total = 0;
  for (size_t size : sizes) total += size;
  std::vector<size_t> begin(ranks + 1, sizes.size());
  begin[0] = 0;
  // A unit goes where its middle lies.
  size_t before = 0, rank = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    const size_t twice_middle = 2 * before + sizes[i];
    while (rank + 1 < ranks && twice_middle * ranks >= 2 * total * (rank + 1)) begin[++rank] = i;
    before += sizes[i];
  }
  return begin;
}

std::vector<size_t> deal(size_t units, size_t ranks) {
  return deal(std::vector<size_t>(units, 1), ranks);
}

}  // namespace hone::train
