#pragma once
// One request on its way through a handler, and the words that handlers speak: who asks, what they
// sent, how to answer, and how to write so that a repeated request has one effect.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "api/error_response.h"
#include "api/etag.h"
#include "api/page.h"
#include "api/platform.h"
#include "api/route.h"
#include "base/json.h"
#include "http/request.h"
#include "http/response.h"
#include "label/identity.h"
#include "label/organisation.h"

namespace hone::api {

struct Call {
  Platform& platform;
  http::Request& request;
  const ApiRoute& route;
  label::PrincipalPointer principal;  // null when nobody is known: open routes only
  Json body;                          // of the route's shape; {} when absent

  const label::Principal& who() const;  // throws unauthenticated
  label::Organisation& organisation();  // of who asks
  label::Actor actor();
  bool can(label::Permission permission) const;
  int64_t now_ms() { return platform.env().now_ms(); }
  // A parameter of the path.
  const std::string& id(std::string_view name) const { return request.path_parameters.at(name); }

  // Members of the body; the shape has checked kinds and bounds.
  bool has(std::string_view name) const;  // there and not null
  std::string text(std::string_view name, std::string_view fallback = {}) const;
  std::optional<std::string> maybe_text(std::string_view name) const;
  std::optional<int64_t> maybe_int(std::string_view name) const;
  std::optional<double> maybe_number(std::string_view name) const;
  std::optional<bool> maybe_bool(std::string_view name) const;
  std::optional<std::vector<std::string>> maybe_texts(std::string_view name) const;

  // Parameters of the query; dispatch has checked them.
  std::string_view query(std::string_view name, std::string_view fallback = {}) const;
  bool query_bool(std::string_view name) const { return query(name) == "true"; }
  std::optional<double> query_number(std::string_view name) const;
  std::optional<int64_t> query_int(std::string_view name) const;
};

// What a write answers.
struct Answer {
  int status = 200;
  Json body = {};  // null = none
  std::string etag = {};
  bool has_secret = false;  // kept sealed when it is kept for a repeat
};
http::Response to_response(const Answer& answer);
http::Response json_response(int status, const Json& body);
http::Response no_content();

// 2026-11-28T13:00:00.000Z
std::string time_text(int64_t at_ms);
Json time_json(const std::optional<int64_t>& at_ms);
Json texts_json(const std::vector<std::string>& texts);

// ---- Repeats (idempotency.cc; docs/api.md "Writes"). All throw key_reused() for another request
// under the same key.
struct RepeatKey {
  std::string principal;
  std::string route;
  std::string key;
  std::string request_digest;
};
// Nothing when the request has no Idempotency-Key. Throws invalid_input for a bad one.
std::optional<RepeatKey> repeat_key(const Call& call);
RepeatKey repeat_key_of_bytes(const Call& call, std::string_view digest_of_body);
std::optional<Answer> find_repeat(Platform& platform, store::Connection& db, const RepeatKey& key);
void keep_answer(Platform& platform, store::Transaction& tx, const RepeatKey& key,
                 const Answer& answer);
http::Response replayed_response(const Answer& answer);

// f(store::Transaction&) -> Answer, with its repeat in the same transaction; database: anything with
// write(durability, f).
template <class Write, class F>
http::Response write_once(Call& call, Write&& write, F&& f) {
  const std::optional<RepeatKey> key = repeat_key(call);
  bool replayed = false;
  Answer answer = write([&](store::Transaction& tx) -> Answer {
    replayed = false;
    if (key) {
      if (auto kept = find_repeat(call.platform, tx, *key)) {
        replayed = true;
        return std::move(*kept);
      }
    }
    Answer made = f(tx);
    if (key) keep_answer(call.platform, tx, *key, made);
    return made;
  });
  return replayed ? replayed_response(answer) : to_response(answer);
}

// In the organisation of who asks: what people say and decide there.
template <class F>
http::Response write_here(Call& call, store::Durability durability, F&& f) {
  label::Organisation& organisation = call.organisation();
  return write_once(
      call, [&](auto&& job) { return organisation.write(durability, job); }, std::forward<F>(f));
}

// In control.db.
template <class F>
http::Response write_control(Call& call, F&& f) {
  return write_once(
      call, [&](auto&& job) { return call.platform.identity().write(job); }, std::forward<F>(f));
}

// Writes that span both databases, and those that wait for a job: one at a time under one key. work()
// does everything and gives the answer, which is kept in control.db afterwards; without a key it just
// runs. A crash between work and keeping lets a repeat do the work again: work must bear that.
http::Response once_over_both(Call& call, const std::function<Answer()>& work);

}  // namespace hone::api
