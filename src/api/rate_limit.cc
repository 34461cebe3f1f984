#include "api/rate_limit.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace hone::api {

int RateLimiter::take(std::string_view key, double now_s) {
  if (limit_.per_second <= 0) return 0;
  const std::lock_guard lock(mutex_);
  std::string name(key);
  auto found = buckets_.find(name);
  if (found == buckets_.end()) {
    if (buckets_.size() >= kBucketsMax) make_room(now_s);
    found = buckets_.emplace(std::move(name), Bucket{limit_.burst, now_s}).first;
  }
  Bucket& bucket = found->second;
  const double passed_s = std::max(0.0, now_s - bucket.at_s);
  bucket.tokens = std::min(limit_.burst, bucket.tokens + passed_s * limit_.per_second);
  bucket.at_s = now_s;
  if (bucket.tokens >= 1) {
    bucket.tokens -= 1;
    return 0;
  }
  return std::max(1, static_cast<int>(std::ceil((1 - bucket.tokens) / limit_.per_second)));
}

size_t RateLimiter::buckets() const {
  const std::lock_guard lock(mutex_);
  return buckets_.size();
}

void RateLimiter::make_room(double now_s) {
  std::erase_if(buckets_, [&](const auto& entry) {
    const Bucket& bucket = entry.second;
    return bucket.tokens + (now_s - bucket.at_s) * limit_.per_second >= limit_.burst;
  });
  if (buckets_.size() < kBucketsMax) return;
  std::vector<double> times;
  times.reserve(buckets_.size());
  for (const auto& entry : buckets_) times.push_back(entry.second.at_s);
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  // "At most the middle" alone would keep everything when all came at once.
  size_t to_drop = times.size() / 2 + 1;
  std::erase_if(buckets_, [&](const auto& entry) {
    return to_drop > 0 && entry.second.at_s <= *middle && to_drop-- > 0;
  });
}

}  // namespace hone::api
