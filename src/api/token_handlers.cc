// Access tokens of programs: one's own, and everybody's for who may manage them.
#include <map>

#include "api/handlers.h"
#include "label/events.h"
#include "label/key_limits.h"
#include "usage/ledger.h"
#include "usage/report.h"

namespace hone::api {
namespace {

constexpr int kMostTokens = 100'000;

Json token_json(const label::TokenRecord& token, const label::KeyLimits& limits) {
  Json body = Json::object();
  body["id"] = token.id;
  body["name"] = token.name;
  Json words = Json::array();
  std::string_view rest = token.scope;
  while (!rest.empty()) {
    const size_t space = rest.find(' ');
    words.push_back(rest.substr(0, space));
    rest = space == rest.npos ? std::string_view() : rest.substr(space + 1);
  }
  body["scope"] = std::move(words);
  body["person_id"] = token.person_id;
  body["created_at"] = time_text(token.created_at_ms);
  body["last_used_at"] = time_json(token.last_used_at_ms);
  body["expires_at"] = time_json(token.expires_at_ms);
  body["models"] = texts_json(limits.models);
  body["requests_per_day"] = limits.requests_per_day ? Json(*limits.requests_per_day) : Json();
  body["tokens_per_day"] = limits.tokens_per_day ? Json(*limits.tokens_per_day) : Json();
  body["weight"] = limits.weight;
  body["priority"] = int64_t{limits.priority};
  return body;
}

label::KeyLimits limits_of(const Call& call) {
  label::KeyLimits limits;
  limits.models = call.maybe_texts("models").value_or(std::vector<std::string>{});
  limits.requests_per_day = call.maybe_int("requests_per_day");
  limits.tokens_per_day = call.maybe_int("tokens_per_day");
  limits.weight = call.maybe_number("weight").value_or(1);
  limits.priority = static_cast<int>(call.maybe_int("priority").value_or(0));
  return limits;
}

// A key with bounds makes no key without them, and lifts none.
void require_unbounded(Call& call) {
  if (!call.who().is_token()) return;
  const label::KeyLimits own = call.platform.control().read(
      [&](store::Connection& db) { return label::limits_of_token(db, call.who().token_id); });
  if (own.is_bounded()) {
    throw Error(ErrorCode::kForbidden,
                "this key has bounds of its own, so it makes and changes no keys: sign in, or use "
                "a key without bounds");
  }
}

// Whose tokens this caller reaches; 0 = everybody's.
int64_t reach(const Call& call) {
  return call.can(label::Permission::kTokenManage) ? 0 : call.who().person_key;
}

void record_token(Call& call, const label::Actor& actor, std::string_view kind,
                  std::string_view token_id) {
  call.organisation().write(store::Durability::kDisk, [&](store::Transaction& tx) {
    label::record_event(
        tx, call.now_ms(), actor,
        {.kind = kind, .object = token_id, .project_id = std::nullopt, .from = "", .to = ""});
  });
}

}  // namespace

http::Response list_tokens(Call& call) {
  label::Identity& identity = call.platform.identity();
  const PageRequest page = read_page(call.request.query);
  std::map<std::string, label::KeyLimits> limits;
  const auto tokens = identity.read([&](store::Connection& db) {
    limits = label::limits_of_tokens(db, call.who().organisation_key);
    return identity.tokens(db, call.who().organisation_key, reach(call),
                           page.after.empty() ? 0 : page.after[0], page.limit + 1);
  });
  Json::Array items;
  std::optional<std::string> next;
  for (const label::TokenRecord& each : tokens) {
    if (items.size() == static_cast<size_t>(page.limit)) {
      next = write_cursor({tokens[items.size() - 1].key});
      break;
    }
    items.push_back(token_json(each, limits[each.id]));
  }
  return json_response(200, page_body(std::move(items), next));
}

http::Response make_token(Call& call) {
  label::Identity& identity = call.platform.identity();
  std::string words;
  for (const std::string& word :
       call.maybe_texts("scope").value_or(std::vector<std::string>{"all"})) {
    words += word + " ";
  }
  const label::Scopes scopes = label::Scopes::parse(words);
  std::optional<int64_t> life_ms;
  if (const auto days = call.maybe_int("expires_in_days")) life_ms = *days * label::kDayMs;
  const label::Actor actor = call.actor();
  const label::KeyLimits limits = limits_of(call);
  require_unbounded(call);
  if (limits.is_raised()) label::require(actor, label::Permission::kTokenManage);
  return once_over_both(call, [&]() -> Answer {
    const auto made = identity.write([&](store::Transaction& tx) {
      auto token = identity.add_token(tx, call.who(), call.text("name"), scopes, life_ms);
      label::set_limits(tx, call.who().organisation_key, token.token.id, limits);
      return token;
    });
    record_token(call, actor, "token.made", made.token.id);
    Json body = Json::object();
    body["token"] = token_json(made.token, limits);
    body["secret"] = made.secret;
    return {.status = 201, .body = std::move(body), .has_secret = true};
  });
}

http::Response change_token(Call& call) {
  label::Identity& identity = call.platform.identity();
  const label::Actor actor = call.actor();
  const label::KeyLimits limits = limits_of(call);
  require_unbounded(call);
  return once_over_both(call, [&]() -> Answer {
    const std::string& id = call.id("token_id");
    const auto token = identity.write([&](store::Transaction& tx) {
      label::set_limits(tx, call.who().organisation_key, id, limits);
      for (const label::TokenRecord& each :
           identity.tokens(tx, call.who().organisation_key, 0, 0, kMostTokens)) {
        if (each.id == id) return each;
      }
      throw not_found("there is no such token");
    });
    record_token(call, actor, "token.changed", id);
    return {.status = 200, .body = token_json(token, limits)};
  });
}

// Days back from today, today too; what came in the last second may be missing (usage/ledger.h).
http::Response read_usage(Call& call) {
  const PageRequest page = read_page(call.request.query);
  constexpr int64_t kDaysDefault = 30;
  usage::UsageFilter filter;
  filter.organisation = call.who().organisation_id;
  filter.last_day = call.now_ms() / usage::kDayMs;
  filter.first_day = filter.last_day - call.query_int("days").value_or(kDaysDefault) + 1;
  filter.key = call.query("key");
  if (reach(call) != 0) filter.person = call.who().person_id;
  const auto rows = call.platform.control().read(
      [&](store::Connection& db) { return usage::usage_rows(db, filter); });
  Json::Array items;
  for (const usage::UsageRow& row : rows) {
    Json item = Json::object();
    item["day"] = usage::day_text(row.day);
    item["key_id"] = row.key;
    item["model"] = row.model;
    item["requests"] = row.requests;
    item["prompt_tokens"] = row.prompt_tokens;
    item["cached_tokens"] = row.cached_tokens;
    item["completion_tokens"] = row.completion_tokens;
    items.push_back(std::move(item));
  }
  return json_response(200, page_of(items, page));
}

http::Response revoke_token(Call& call) {
  label::Identity& identity = call.platform.identity();
  const label::Actor actor = call.actor();
  return once_over_both(call, [&]() -> Answer {
    identity.write([&](store::Transaction& tx) {
      identity.revoke_token(tx, call.who().organisation_key, reach(call), call.id("token_id"));
    });
    record_token(call, actor, "token.revoked", call.id("token_id"));
    return {.status = 204};
  });
}

}  // namespace hone::api
