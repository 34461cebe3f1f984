#pragma once
// What every operation needs beside its operands: the pool, and scratch memory per thread that
// grows to the largest request and is then kept, so that nothing is allocated in the steady state.
//
// Thread rule: one operation at a time on one Compute; inside it, thread t touches scratch(t) only.

#include <cstddef>
#include <vector>

#include "base/thread_pool.h"
#include "tensor/memory.h"

namespace hone::tensor {

class Compute {
 public:
  // 0 = all cores that the process may use. The first use refuses a CPU without fused
  // multiply-add (unavailable): its bits would differ.
  explicit Compute(size_t threads = 0);

  ThreadPool& pool() { return pool_; }
  size_t threads() const { return pool_.size(); }

  // At least `bytes` of 64-byte aligned memory of this thread's own, content undefined. Every call
  // for the same thread returns the same memory: an operation asks once and divides it itself.
  std::byte* scratch(size_t thread, size_t bytes);
  // Like scratch, but one piece shared by all threads of the operation; ask before the fork.
  std::byte* shared_scratch(size_t bytes);

 private:
  ThreadPool pool_;
  std::vector<Buffer> scratch_;
  Buffer shared_;
};

// "AVX3", "AVX2", "NEON", ...: the instruction set that the kernels run on here.
const char* instruction_set();

}  // namespace hone::tensor
