#pragma once
// What this machine can do at most, measured now: the figures beside which hone bench puts its own.
// Each call works for some tens of milliseconds on all threads of the Compute; neighbours on the
// machine lower it as they lower the work, so measure in turn with the work and take medians.
//
// Thread rule: as every operation on a Compute.

#include <cstddef>

#include "tensor/compute.h"
#include "tensor/memory.h"

namespace hone::tensor {

// Floating-point operations a second (2 a multiply-add) of independent f32 multiply-adds in
// registers, on the vectors that the kernels use.
double measure_fma_peak(Compute& compute);

// Bytes a second of reading a buffer once, front to back, each thread its own part. Take one that
// is larger than the caches; 256 MiB is usual.
double measure_read_bandwidth(Compute& compute, const Buffer& buffer);

}  // namespace hone::tensor
