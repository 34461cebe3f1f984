#pragma once
// The completions of the last hours, so that a thumb or a correction can name one by its id
// (decisions 4.5). In memory alone: nothing of it reaches a disk, and it ends with the process.
//
//   keep() at the end of an answer, find() when somebody judges it.
//
// Bounds. Of one organisation at most completions_max and bytes_max, of all together total_bytes_max;
// the oldest go first, and all go after keep_ms. One whose texts are larger than a tenth of
// bytes_max is not kept. The ids (as digests of 64 bits) of the last that went because of their age
// or of a bound are remembered, gone_max of them, so that "it is gone" and "it never was" are two answers.
//
// With keep_ms 0 nothing is kept: an answer then carries mac(), and whoever judges it sends text and
// MAC back (check()).
//
// Any thread. keep() costs a move under a lock: it is called on the engine's thread.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "base/env.h"
#include "feedback/answer.h"

namespace hone::feedback {

struct KeepOptions {
  int64_t keep_ms = 24 * 3600 * 1000;
  size_t completions_max = 20'000;
  size_t bytes_max = size_t{32} << 20;
  size_t total_bytes_max = size_t{64} << 20;
  size_t gone_max = 65'536;
};

struct KeptCounts {
  size_t completions = 0, bytes = 0;
  uint64_t too_large = 0, pushed_out = 0;
};

class KeptCompletions {
 public:
  // secret: signs what is not kept; the same after a restart.
  KeptCompletions(Env& env, KeepOptions options, std::string secret)
      : env_(env), options_(options), secret_(std::move(secret)) {}
  KeptCompletions(const KeptCompletions&) = delete;
  KeptCompletions& operator=(const KeptCompletions&) = delete;

  bool enabled() const { return options_.keep_ms > 0; }
  const KeepOptions& options() const { return options_; }
  // Set before the first keep(): told of every completion whose request consented to being stored. It only
  // hands on.
  void on_consented(std::function<void(KeptPointer)> tell) { on_consented_ = std::move(tell); }

  void keep(KeptCompletion completion);
  // Null: was_here says whether it is gone or never was.
  KeptPointer find(std::string_view organisation, std::string_view id);
  bool was_here(std::string_view organisation, std::string_view id);
  // Somebody withdrew it.
  void forget(std::string_view organisation, std::string_view id);
  // What is too old goes, also where nobody asks: to be called now and then.
  void sweep();
  KeptCounts counts();

  // Over organisation, id, choice, model, fingerprint, settings, messages or prompt, and text: 32
  // hexadecimal characters.
  std::string mac(const Completion& head, size_t choice, std::string_view prompt,
                  std::string_view text) const;
  bool check(const Answer& answer, std::string_view mac) const;

 private:
  struct Shelf {
    std::deque<KeptPointer> by_age;  // oldest first
    std::unordered_map<std::string, KeptPointer> by_id;
    size_t bytes = 0;
  };
  void drop_oldest(const std::string& organisation, Shelf& shelf);
  void drop_old(const std::string& organisation, Shelf& shelf);
  void make_room(const std::string& organisation, Shelf& shelf);
  void note_gone(std::string_view organisation, std::string_view id);

  Env& env_;
  const KeepOptions options_;
  const std::string secret_;
  std::function<void(KeptPointer)> on_consented_;

  std::mutex mutex_;
  // Guarded by mutex_.
  std::map<std::string, Shelf, std::less<>> shelves_;  // by organisation
  size_t bytes_ = 0;
  std::deque<uint64_t> gone_order_;
  std::unordered_set<uint64_t> gone_;
  uint64_t too_large_ = 0, pushed_out_ = 0;
};

}  // namespace hone::feedback
