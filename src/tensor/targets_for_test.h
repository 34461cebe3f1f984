#pragma once
// Runs a test body once on each compiled instruction set that this CPU has.

#include "gtest/gtest.h"
#include "hwy/targets.h"
#include "tensor/simd_targets.h"

namespace hone::tensor {

template <typename Body>
void for_each_instruction_set(const Body& body) {
  hwy::SetSupportedTargetsForTest(0);
  const int64_t available = hwy::SupportedTargets();
  int runs = 0;
  for (const int64_t target :
       {HWY_AVX3, HWY_AVX2, HWY_NEON, HWY_SVE, HWY_SVE2, HWY_SVE_256, HWY_SVE2_128}) {
    if ((available & HWY_TARGETS & target) == 0) continue;
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(target);
    SCOPED_TRACE(hwy::TargetName(target));
    body();
    ++runs;
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  EXPECT_GT(runs, 0);
}

}  // namespace hone::tensor
