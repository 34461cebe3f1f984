#pragma once
// An Env whose clock can be set apart from the world's: what the demo project's past is written with.
// Everything else is the Env behind it. set_shift_ms() before threads use it, or between their uses.

#include <atomic>

#include "base/forwarding_env.h"

namespace hone::cli {

class ShiftedEnv : public ForwardingEnv {
 public:
  using ForwardingEnv::ForwardingEnv;
  void set_shift_ms(int64_t shift_ms) { shift_ms_.store(shift_ms); }

  int64_t now_ms() override { return ForwardingEnv::now_ms() + shift_ms_.load(); }

 private:
  std::atomic<int64_t> shift_ms_{0};
};

}  // namespace hone::cli
