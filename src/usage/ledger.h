#pragma once
// What each key uses, and how much it may (docs/serving.md "Keys").
//
// A request reserves before it runs: itself, and the most tokens that it can come to. At its end the
// reservation becomes what it really took. So a quota holds exactly: whatever runs side by side, used
// and reserved together never pass it, and what was reserved in vain is free again at once.
//
// Days are UTC days. A request counts on the day on which it was admitted. Counts of a day that are in
// the table are read when its key first comes; what came since waits in memory and is written every
// flush_ms by a thread of the ledger's own (one write, whatever it holds). A killed process loses what
// the last flush_ms brought; nothing else waits for the disk.
//
// Any thread. The ledger must outlive its reservations; env and database must outlive it.

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <tuple>

#include "base/env.h"
#include "base/error.h"
#include "store/database.h"

namespace hone::usage {

inline constexpr int64_t kDayMs = 86'400'000;

// Who asks, and what it may; nothing = no bound.
struct Key {
  std::string organisation;  // org_…; may be empty
  std::string id;            // key_… or usr_…
  std::optional<int64_t> requests_per_day = {}, tokens_per_day = {};
};

struct Tokens {
  int64_t prompt = 0;  // those from the cache too
  int64_t cached = 0;
  int64_t completion = 0;
};

// The quota is used up, or what is left is too little for this request.
class QuotaExceeded : public Error {
 public:
  QuotaExceeded(std::string message, int retry_after_seconds)
      : Error(ErrorCode::kBusy, std::move(message)), retry_after_seconds_(retry_after_seconds) {}
  int retry_after_seconds() const { return retry_after_seconds_; }  // when the next day begins

 private:
  int retry_after_seconds_;
};

class Ledger;

// One admitted request. Gives back what it holds when it is dropped unsettled: it counts as nothing.
class Reservation {
 public:
  Reservation() = default;
  Reservation(Reservation&& other) noexcept { *this = std::move(other); }
  Reservation& operator=(Reservation&& other) noexcept;
  ~Reservation() { release(); }

  // What it came to; later calls do nothing.
  void settle(const Tokens& tokens);
  void release();

 private:
  friend class Ledger;
  Ledger* ledger_ = nullptr;  // null: settled, released or of nothing
  std::string organisation_, key_, model_;
  int64_t day_ = 0, tokens_ = 0;
};

struct LedgerOptions {
  int64_t flush_ms = 1000;  // 0 = only by flush() and at the end
};

class Ledger {
 public:
  Ledger(Env& env, store::Database& control, LedgerOptions options = {});
  ~Ledger();  // writes what is left

  // most_tokens: prompt and the longest answer. Throws QuotaExceeded.
  Reservation reserve(const Key& key, const std::string& model, int64_t most_tokens);

  // Writes what has come; throws what the database throws, and nothing is lost then.
  void flush();

 private:
  friend class Reservation;
  using KeyDay = std::pair<std::string, int64_t>;
  using Line = std::tuple<std::string, int64_t, std::string, std::string>;  // a row of usage_day
  struct Standing {
    int64_t requests = 0, tokens = 0;                    // used, with what is not written yet
    int64_t reserved_requests = 0, reserved_tokens = 0;  // of requests that run
  };
  struct Sums {
    int64_t requests = 0;
    Tokens tokens;
  };

  Standing& standing_of(const std::string& key, int64_t day);  // under mutex_
  void end(Reservation& reservation, const Tokens* tokens);
  void work();

  Env& env_;
  store::Database& control_;
  const LedgerOptions options_;
  std::mutex flush_mutex_;  // one write at a time
  std::mutex mutex_;
  // Guarded by mutex_.
  std::map<KeyDay, Standing> standings_;
  std::map<Line, Sums> unwritten_;
  bool stopping_ = false;
  std::condition_variable changed_;
  std::thread thread_;
};

}  // namespace hone::usage
