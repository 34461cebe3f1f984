#include "usage/ledger.h"

#include <chrono>
#include <utility>

#include "base/check.h"

namespace hone::usage {

namespace {

constexpr size_t kStandingsMax = 100'000;

std::string left_words(int64_t left, const char* one, const char* many) {
  return std::to_string(left) + " " + (left == 1 ? one : many);
}

}  // namespace

Reservation& Reservation::operator=(Reservation&& other) noexcept {
  if (this == &other) return *this;
  release();
  ledger_ = std::exchange(other.ledger_, nullptr);
  organisation_ = std::move(other.organisation_);
  key_ = std::move(other.key_);
  model_ = std::move(other.model_);
  day_ = other.day_;
  tokens_ = other.tokens_;
  return *this;
}

void Reservation::settle(const Tokens& tokens) {
  if (ledger_ != nullptr) ledger_->end(*this, &tokens);
}

void Reservation::release() {
  if (ledger_ != nullptr) ledger_->end(*this, nullptr);
}

Ledger::Ledger(Env& env, store::Database& control, LedgerOptions options)
    : env_(env), control_(control), options_(options) {
  if (options_.flush_ms > 0) thread_ = std::thread([this] { work(); });
}

Ledger::~Ledger() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  try {
    flush();
  } catch (const Error&) {
    // The disk takes nothing any more: the counts since the last flush are lost.
  }
}

Ledger::Standing& Ledger::standing_of(const std::string& key, int64_t day) {
  const auto known = standings_.find({key, day});
  if (known != standings_.end()) return known->second;
  // Of days that are over only those stay whose requests still run.
  if (standings_.size() >= kStandingsMax) {
    std::erase_if(standings_, [&](const auto& each) {
      return each.first.second < day && each.second.reserved_requests == 0;
    });
  }
  Standing standing;
  // What waits to be written is not in the table yet.
  control_.read([&](store::Connection& db) {
    db.query_one(
        "SELECT coalesce(sum(requests), 0), coalesce(sum(prompt_tokens + completion_tokens), 0) "
        "FROM usage_day WHERE key = $1 AND day = $2",
        {key, day}, [&](const store::Row& row) {
          standing.requests = row.int64(0);
          standing.tokens = row.int64(1);
          return true;
        });
  });
  return standings_.emplace(KeyDay{key, day}, standing).first->second;
}

Reservation Ledger::reserve(const Key& key, const std::string& model, int64_t most_tokens) {
  HONE_CHECK(most_tokens >= 0);
  const int64_t now_ms = env_.now_ms();
  const int64_t day = now_ms / kDayMs;
  const auto next_day_s = static_cast<int>((kDayMs - now_ms % kDayMs + 999) / 1000);
  const std::lock_guard lock(mutex_);
  Standing& standing = standing_of(key.id, day);
  if (key.requests_per_day) {
    const int64_t left = *key.requests_per_day - standing.requests - standing.reserved_requests;
    if (left < 1) {
      throw QuotaExceeded("this key may ask " + left_words(*key.requests_per_day, "time", "times") +
                              " a day, and has: it may again at midnight UTC",
                          next_day_s);
    }
  }
  if (key.tokens_per_day) {
    const int64_t left = *key.tokens_per_day - standing.tokens - standing.reserved_tokens;
    if (left < most_tokens) {
      throw QuotaExceeded("this key has " + left_words(left < 0 ? 0 : left, "token", "tokens") +
                              " of " + std::to_string(*key.tokens_per_day) +
                              " a day left, beside what runs now, and this "
                              "request may come to " +
                              std::to_string(most_tokens) +
                              ": ask for fewer with max_tokens, or again after midnight UTC",
                          next_day_s);
    }
  }
  standing.reserved_requests += 1;
  standing.reserved_tokens += most_tokens;
  Reservation made;
  made.ledger_ = this;
  made.organisation_ = key.organisation;
  made.key_ = key.id;
  made.model_ = model;
  made.day_ = day;
  made.tokens_ = most_tokens;
  return made;
}

void Ledger::end(Reservation& reservation, const Tokens* tokens) {
  reservation.ledger_ = nullptr;
  const std::lock_guard lock(mutex_);
  const auto found = standings_.find({reservation.key_, reservation.day_});
  HONE_CHECK(found != standings_.end());
  Standing& standing = found->second;
  standing.reserved_requests -= 1;
  standing.reserved_tokens -= reservation.tokens_;
  if (tokens == nullptr) return;
  standing.requests += 1;
  standing.tokens += tokens->prompt + tokens->completion;
  Sums& sums = unwritten_[{reservation.organisation_, reservation.day_, reservation.key_,
                           reservation.model_}];
  sums.requests += 1;
  sums.tokens.prompt += tokens->prompt;
  sums.tokens.cached += tokens->cached;
  sums.tokens.completion += tokens->completion;
}

void Ledger::flush() {
  const std::lock_guard one_at_a_time(flush_mutex_);
  std::map<Line, Sums> lines;
  {
    const std::lock_guard lock(mutex_);
    lines.swap(unwritten_);
  }
  if (lines.empty()) return;
  try {
    control_.write(store::Durability::kProcess, [&](store::Transaction& tx) {
      for (const auto& [line, sums] : lines) {
        const auto& [organisation, day, key, model] = line;
        tx.execute(
            "INSERT INTO usage_day (organisation, day, key, model, requests, prompt_tokens, "
            "cached_tokens, completion_tokens) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) "
            "ON CONFLICT (organisation, day, key, model) DO UPDATE SET "
            "requests = requests + excluded.requests, "
            "prompt_tokens = prompt_tokens + excluded.prompt_tokens, "
            "cached_tokens = cached_tokens + excluded.cached_tokens, "
            "completion_tokens = completion_tokens + excluded.completion_tokens",
            {organisation, day, key, model, sums.requests, sums.tokens.prompt, sums.tokens.cached,
             sums.tokens.completion});
      }
    });
  } catch (const Error&) {
    const std::lock_guard lock(mutex_);
    for (const auto& [line, sums] : lines) {
      Sums& back = unwritten_[line];
      back.requests += sums.requests;
      back.tokens.prompt += sums.tokens.prompt;
      back.tokens.cached += sums.tokens.cached;
      back.tokens.completion += sums.tokens.completion;
    }
    throw;
  }
}

void Ledger::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    changed_.wait_for(lock, std::chrono::milliseconds(options_.flush_ms),
                      [&] { return stopping_; });
    if (stopping_) return;
    lock.unlock();
    try {
      flush();
    } catch (const Error&) {
      // Busy, or a full disk: the next turn tries again.
    }
    lock.lock();
  }
}

}  // namespace hone::usage
