#include "tensor/compute.h"

#include "base/error.h"
#include "tensor/matmul_kernels.h"

namespace hone::tensor {

namespace {

std::byte* at_least(Buffer& buffer, size_t bytes) {
  if (buffer.bytes() < bytes) {
    buffer = Buffer();  // first let go of the old one: never both at once
    buffer = Buffer(bytes);
  }
  return buffer.data();
}

}  // namespace

Compute::Compute(size_t threads) : pool_(threads), scratch_(pool_.size()) {
  if (matmul_kernels() == nullptr) {
    throw Error(ErrorCode::kUnavailable,
                "this CPU has no fused multiply-add (x86: AVX2 and FMA; Arm: NEON): its numbers "
                "would differ from those of every other machine; use a CPU of 2013 or newer");
  }
}

std::byte* Compute::scratch(size_t thread, size_t bytes) {
  return at_least(scratch_[thread], bytes);
}

std::byte* Compute::shared_scratch(size_t bytes) { return at_least(shared_, bytes); }

const char* instruction_set() {
  const MatmulKernels* kernels = matmul_kernels();
  return kernels == nullptr ? "none" : kernels->name;
}

}  // namespace hone::tensor
