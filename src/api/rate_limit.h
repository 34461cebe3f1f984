#pragma once
// How often one principal may ask: a token bucket a key, refilled steadily. Any thread.
//
// Bounded: beyond kBucketsMax keys the full buckets are forgotten (they say nothing), and if all are
// in use the oldest half is: forgetting can only let someone ask sooner.

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace hone::api {

struct RateLimit {
  double per_second = 200;  // 0 = no limit
  double burst = 400;
};

class RateLimiter {
 public:
  static constexpr size_t kBucketsMax = 20'000;

  explicit RateLimiter(const RateLimit& limit) : limit_(limit) {}

  // Takes one token of key's bucket; 0 when there was one, else the seconds (at least 1) after which
  // there will be. now_s: a steady clock.
  int take(std::string_view key, double now_s);
  size_t buckets() const;

 private:
  struct Bucket {
    double tokens;
    double at_s;
  };
  void make_room(double now_s);

  const RateLimit limit_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Bucket> buckets_;  // guarded by mutex_
};

}  // namespace hone::api
