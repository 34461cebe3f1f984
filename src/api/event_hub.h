#pragma once
// Server-sent events of one organisation (docs/api.md, GET /events): short hints that something
// changed; the page asks again for what. Nothing is kept for who is away.
//
// Any thread. Bounded: kStreamsMax streams in all, kStreamsOfPersonMax a person (the oldest ends).

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "http/event_stream.h"

namespace hone::api {

class EventHub {
 public:
  static constexpr size_t kStreamsMax = 2'000;
  static constexpr size_t kStreamsOfPersonMax = 8;

  // Throws busy when there are kStreamsMax.
  std::shared_ptr<http::EventStream> subscribe(const std::string& organisation_id,
                                               const std::string& person_id);
  // kind: "run", "job", "project"; data: ids only, since everybody of the organisation reads it.
  void publish(std::string_view organisation_id, std::string_view kind, const Json& data);
  // Ends the streams of who may not listen any more.
  void drop_person(std::string_view person_id);
  void close_all();
  size_t streams() const;

 private:
  struct Subscriber {
    std::string organisation_id;
    std::string person_id;
    std::shared_ptr<http::EventStream> stream;  // shared with the server's connection
  };
  void sweep();  // forgets streams that have ended

  mutable std::mutex mutex_;
  std::vector<Subscriber> subscribers_;  // guarded by mutex_
};

}  // namespace hone::api
