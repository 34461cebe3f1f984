// A reward's spec, a zero byte, then an answer: making the reward and judging the answer must end in
// a value from -1 to 1 or in one hone::Error, whatever the bytes. (What names a program is left out,
// and so is what names a file.)

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/fault_env.h"
#include "reward/arithmetic.h"
#include "reward/builtin.h"
#include "reward/match.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t zero = std::min(input.find('\0'), size);
  const std::string spec(input.substr(0, zero));
  const std::string_view answer = input.substr(std::min(zero + 1, size));
  if (const auto said = hone::reward::evaluate(answer)) {
    if (!std::isfinite(said->value)) std::abort();
  }
  for (double number : hone::reward::numbers_of(answer)) {
    if (!std::isfinite(number)) std::abort();
  }
  try {
    if (hone::reward::runs_a_program(spec)) return 0;
    hone::FaultEnv env;
    const auto reward = hone::reward::make_reward(env, spec);
    hone::Json row = hone::Json::object();
    row["answer"] = "14";
    const int32_t ids[] = {1, 2, 3};
    const hone::reward::Sample sample{"prompt", answer, {}, ids, true, &row, "row 1"};
    const auto values = reward->score({&sample, 1});
    if (values.size() != 1) std::abort();
    if (values[0] && !(*values[0] >= -1 && *values[0] <= 1)) std::abort();
  } catch (const hone::Error& error) {
    if (error.message().empty()) std::abort();
  }
  return 0;
}
