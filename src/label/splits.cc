#include "label/splits.h"

#include <cstdint>

#include "seal/digest.h"

namespace hone::label {

std::string_view split_of_group(std::string_view seed, double heldout_fraction,
                                std::string_view group_digest) {
  std::string keyed(seed);
  keyed += '\0';
  keyed += group_digest;
  const std::string digest = seal::sha256_bytes(keyed);
  uint64_t place = 0;
  for (size_t i = 0; i < 8; ++i) place = place << 8 | static_cast<unsigned char>(digest[i]);
  // 53 bits: exact in a double, the same on every machine.
  const double fraction = static_cast<double>(place >> 11) * 0x1p-53;
  return fraction < heldout_fraction ? kHeldout : kTrain;
}

}  // namespace hone::label
