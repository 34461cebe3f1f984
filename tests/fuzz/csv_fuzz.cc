// CSV rows of any bytes (rows_fuzz_one.h says what must hold).

#include "rows_fuzz_one.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  hone::fuzz::rows_fuzz_one(data, size, hone::data::RowFormat::kCsv);
  return 0;
}
