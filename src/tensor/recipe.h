#pragma once
// The name of the numerics contract that this program keeps (docs/numerics.md). It is written into
// every manifest and report; bits change only together with it (decisions 1.11).

namespace hone::tensor {

inline constexpr const char* kRecipe = "exact-f32/1";

}  // namespace hone::tensor
