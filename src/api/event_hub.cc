#include "api/event_hub.h"

#include <algorithm>

#include "base/error.h"

namespace hone::api {

std::shared_ptr<http::EventStream> EventHub::subscribe(const std::string& organisation_id,
                                                       const std::string& person_id) {
  auto stream = std::make_shared<http::EventStream>(
      http::EventStreamOptions{.max_queued_bytes = size_t{64} * 1024, .keep_alive_ms = 15'000});
  stream->send_comment("connected");
  const std::lock_guard lock(mutex_);
  sweep();
  if (subscribers_.size() >= kStreamsMax) {
    throw Error(ErrorCode::kBusy, "too many pages listen for events; try again later");
  }
  const auto is_theirs = [&](const Subscriber& each) { return each.person_id == person_id; };
  if (static_cast<size_t>(std::count_if(subscribers_.begin(), subscribers_.end(), is_theirs)) >=
      kStreamsOfPersonMax) {
    const auto oldest = std::find_if(subscribers_.begin(), subscribers_.end(), is_theirs);
    oldest->stream->close();
    subscribers_.erase(oldest);
  }
  subscribers_.push_back({organisation_id, person_id, stream});
  return stream;
}

void EventHub::publish(std::string_view organisation_id, std::string_view kind, const Json& data) {
  const std::string text = data.dump();
  const std::lock_guard lock(mutex_);
  for (const Subscriber& each : subscribers_) {
    if (each.organisation_id == organisation_id) each.stream->send(kind, text);
  }
}

void EventHub::drop_person(std::string_view person_id) {
  const std::lock_guard lock(mutex_);
  std::erase_if(subscribers_, [&](const Subscriber& each) {
    if (each.person_id != person_id) return false;
    each.stream->close();
    return true;
  });
}

void EventHub::close_all() {
  const std::lock_guard lock(mutex_);
  for (const Subscriber& each : subscribers_) each.stream->close();
  subscribers_.clear();
}

size_t EventHub::streams() const {
  const std::lock_guard lock(mutex_);
  return subscribers_.size();
}

void EventHub::sweep() {
  std::erase_if(subscribers_, [](const Subscriber& each) { return !each.stream->open(); });
}

}  // namespace hone::api
