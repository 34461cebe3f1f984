// Guessing: failures are counted by what was tried (the digest of the address) and by where from (the
// peer), and each further one locks for twice as long. The table is bounded: a stranger who tries many
// addresses meets the lock of his own peer first, and pushes out no row that has more failures.
#include <algorithm>
#include <chrono>
#include <thread>

#include "label/identity.h"
#include "seal/password.h"

namespace hone::label {
namespace {

constexpr int kFreeOfAddress = 5;
constexpr int kFreeOfPeer = 20;
constexpr int64_t kLockMaxMs = 15 * kMinuteMs;
constexpr int64_t kForgetAfterMs = kDayMs;
constexpr int64_t kRowsMax = 20'000;
constexpr int kHashingMax = 2;  // of seal::kPasswordMemoryBytes each
constexpr int kHashingWaitMs = 3'000;

int64_t lock_ms(int64_t failures, int free) {
  if (failures < free) return 0;
  const int64_t doublings = std::min<int64_t>(failures - free, 20);
  return std::min(kLockMaxMs, kSecondMs << doublings);
}

std::string waiting_words(int64_t seconds) {
  return seconds < 120 ? std::to_string(seconds) + " seconds"
                       : std::to_string((seconds + 59) / 60) + " minutes";
}

void count_one(store::Transaction& tx, const std::string& key, int free, int64_t now_ms) {
  struct Row {
    int64_t failures = 0, first_at_ms = 0, locked_until_ms = 0;
  };
  const auto row = tx.query_one(
      "SELECT failures, first_at_ms, locked_until_ms FROM sign_in_failure WHERE key = $1", {key},
      [](const store::Row& r) {
        return Row{r.int64(0), r.int64(1), r.int64(2)};
      });
  Row next = row.value_or(Row{0, now_ms, 0});
  // A clock that was set back must not lock for longer than the longest lock.
  if (next.locked_until_ms > now_ms && next.locked_until_ms <= now_ms + kLockMaxMs) {
    const int64_t seconds = (next.locked_until_ms - now_ms + kSecondMs - 1) / kSecondMs;
    throw TooManyFailures("too many failed attempts; try again in " + waiting_words(seconds) +
                              ", or ask for a sign-in link",
                          static_cast<int>(seconds));
  }
  if (now_ms - std::max(next.first_at_ms, next.locked_until_ms) > kForgetAfterMs) {
    next = Row{0, now_ms, 0};
  }
  ++next.failures;
  const int64_t locked_ms = lock_ms(next.failures, free);
  tx.execute(
      "INSERT INTO sign_in_failure (key, failures, first_at_ms, locked_until_ms) "
      "VALUES ($1, $2, $3, $4) ON CONFLICT (key) DO UPDATE SET failures = excluded.failures, "
      "first_at_ms = excluded.first_at_ms, locked_until_ms = excluded.locked_until_ms",
      {key, next.failures, next.first_at_ms, locked_ms == 0 ? 0 : now_ms + locked_ms});
}

void make_room(store::Transaction& tx, int64_t now_ms) {
  const auto rows = tx.query_int64("SELECT count(*) FROM sign_in_failure");
  if (rows.value_or(0) < kRowsMax) return;
  tx.execute("DELETE FROM sign_in_failure WHERE first_at_ms < $1 AND locked_until_ms < $1",
             {now_ms - kForgetAfterMs});
  tx.execute(
      "DELETE FROM sign_in_failure WHERE key IN (SELECT key FROM sign_in_failure "
      "ORDER BY failures, first_at_ms LIMIT $1)",
      {kRowsMax / 10});
}

std::string address_row(const std::string& key) { return "address:" + key; }
std::string peer_row(const std::string& peer) { return "peer:" + peer; }

}  // namespace

void Identity::count_attempt(const std::string& address_key, const std::string& peer) {
  control_.write(store::Durability::kProcess, [&](store::Transaction& tx) {
    const int64_t now_ms = env_.now_ms();
    make_room(tx, now_ms);
    count_one(tx, peer_row(peer), kFreeOfPeer, now_ms);
    if (!address_key.empty()) count_one(tx, address_row(address_key), kFreeOfAddress, now_ms);
  });
}

void Identity::forgive(const std::string& address_key, const std::string& peer) {
  control_.write(store::Durability::kProcess, [&](store::Transaction& tx) {
    // The peer is forgiven this one attempt: many people may stand behind one address.
    tx.execute(
        "UPDATE sign_in_failure SET failures = failures - 1, locked_until_ms = 0 "
        "WHERE key = $1 AND failures > 0",
        {peer_row(peer)});
    if (!address_key.empty()) {
      tx.execute("DELETE FROM sign_in_failure WHERE key = $1", {address_row(address_key)});
    }
  });
}

namespace {

// Holds one of the kHashingMax places; throws TooManyFailures after kHashingWaitMs.
class HashingPlace {
 public:
  HashingPlace(std::mutex& mutex, int& taken) : mutex_(mutex), taken_(taken) {
    for (int waited_ms = 0;; waited_ms += 10) {
      {
        const std::lock_guard lock(mutex_);
        if (taken_ < kHashingMax) {
          ++taken_;
          return;
        }
      }
      if (waited_ms >= kHashingWaitMs) {
        throw TooManyFailures("many people are signing in at once; try again in a few seconds", 3);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  ~HashingPlace() {
    const std::lock_guard lock(mutex_);
    --taken_;
  }
  HashingPlace(const HashingPlace&) = delete;
  HashingPlace& operator=(const HashingPlace&) = delete;

 private:
  std::mutex& mutex_;
  int& taken_;
};

}  // namespace

bool Identity::password_fits(const std::optional<std::string>& hash, std::string_view password) {
  const HashingPlace place(hashing_mutex_, hashing_);
  return hash ? seal::verify_password(*hash, password) : seal::verify_no_password(password);
}

std::string Identity::hash_password(std::string_view password) {
  const HashingPlace place(hashing_mutex_, hashing_);
  return seal::hash_password(password);
}

}  // namespace hone::label
