// Repeated requests (docs/api.md "Writes"): the answer of a write is kept for a day beside its effect,
// under principal, route and key, with a digest of the request. Answers that hold a secret (a link, a
// token) are kept sealed under the key file.
#include <charconv>

#include "api/call.h"
#include "seal/digest.h"

namespace hone::api {
namespace {

constexpr int64_t kKeptMs = label::kDayMs;
constexpr size_t kKeyMax = 200;
constexpr int kSweepRows = 200;
constexpr std::string_view kPlain = "p";
constexpr std::string_view kSealed = "s";

std::string hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::string from_hex(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    unsigned value = 0;
    std::from_chars(text.data() + i, text.data() + i + 2, value, 16);
    bytes += static_cast<char>(value);
  }
  return bytes;
}

// Bound to its row: a box that is moved to another key does not open.
std::string context_of(const RepeatKey& key) {
  return "answer:" + key.principal + ":" + key.route + ":" + key.key;
}

}  // namespace

RepeatKey repeat_key_of_bytes(const Call& call, std::string_view digest_of_body) {
  const std::string_view sent = call.request.headers.get("Idempotency-Key");
  if (sent.empty() || sent.size() > kKeyMax) {
    throw bad_field("Idempotency-Key", "Idempotency-Key must have 1 to 200 characters");
  }
  RepeatKey key;
  const label::Principal& who = call.who();
  // A person who belongs to several organisations asks as somebody else in each.
  key.principal = who.actor_id() + "@" + who.organisation_id;
  key.route = call.route.name;
  key.key = sent;
  key.request_digest = seal::sha256_hex(call.request.method + "\n" + call.request.target + "\n" +
                                        std::string(digest_of_body));
  return key;
}

std::optional<RepeatKey> repeat_key(const Call& call) {
  if (!call.request.headers.contains("Idempotency-Key") || call.principal == nullptr) {
    return std::nullopt;
  }
  return repeat_key_of_bytes(call, seal::sha256_hex(call.request.body));
}

std::optional<Answer> find_repeat(Platform& platform, store::Connection& db, const RepeatKey& key) {
  struct Row {
    std::string digest, body;
    int64_t status = 0;
    int64_t created_at_ms = 0;
  };
  const auto row = db.query_one(
      "SELECT request_digest, body, status, created_at_ms FROM idempotency "
      "WHERE principal = $1 AND route = $2 AND key = $3",
      {key.principal, key.route, key.key}, [](const store::Row& r) {
        return Row{r.string(0), r.string(1), r.int64(2), r.int64(3)};
      });
  if (!row || platform.env().now_ms() - row->created_at_ms > kKeptMs) return std::nullopt;
  if (row->digest != key.request_digest) throw key_reused();
  // "p" or "s" and the ETag, a line break, the body.
  const size_t line = row->body.find('\n');
  Answer answer;
  answer.status = static_cast<int>(row->status);
  answer.etag = row->body.substr(1, line - 1);
  std::string body = row->body.substr(line + 1);
  answer.has_secret = row->body.substr(0, 1) == kSealed;
  if (answer.has_secret) {
    auto plain = platform.box().unseal(from_hex(body), context_of(key));
    if (!plain) return std::nullopt;
    body = std::move(*plain);
  }
  if (!body.empty()) answer.body = Json::parse(body).value();
  return answer;
}

void keep_answer(Platform& platform, store::Transaction& tx, const RepeatKey& key,
                 const Answer& answer) {
  const int64_t now_ms = platform.env().now_ms();
  std::string body = answer.body.is_null() ? std::string() : answer.body.dump();
  if (answer.has_secret) body = hex(platform.box().seal(platform.env(), body, context_of(key)));
  body = std::string(answer.has_secret ? kSealed : kPlain) + answer.etag + "\n" + body;
  tx.execute(
      "INSERT INTO idempotency (principal, route, key, request_digest, status, body, "
      "created_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7) "
      "ON CONFLICT (principal, route, key) DO UPDATE SET "
      "request_digest = excluded.request_digest, status = excluded.status, body = excluded.body, "
      "created_at_ms = excluded.created_at_ms",
      {key.principal, key.route, key.key, key.request_digest, answer.status, body, now_ms});
  // A few old ones go with each new one, so the table stays a day long.
  tx.execute(
      "DELETE FROM idempotency WHERE (principal, route, key) IN (SELECT principal, route, key "
      "FROM idempotency WHERE created_at_ms < $1 ORDER BY created_at_ms LIMIT $2)",
      {now_ms - kKeptMs, kSweepRows});
}

http::Response replayed_response(const Answer& answer) {
  http::Response response = to_response(answer);
  response.headers.set("Idempotency-Replayed", "true");
  return response;
}

http::Response once_over_both(Call& call, const std::function<Answer()>& work) {
  const std::optional<RepeatKey> key = repeat_key(call);
  if (!key) return to_response(work());
  const Platform::KeyHold hold(call.platform, key->principal + "\n" + key->route + "\n" + key->key);
  store::Database& control = call.platform.control();
  const auto kept =
      control.read([&](store::Connection& db) { return find_repeat(call.platform, db, *key); });
  if (kept) return replayed_response(*kept);
  const Answer answer = work();
  control.write(store::Durability::kDisk,
                [&](store::Transaction& tx) { keep_answer(call.platform, tx, *key, answer); });
  return to_response(answer);
}

}  // namespace hone::api
