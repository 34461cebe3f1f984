// Access tokens of programs: one's own, and everybody's for who may manage them.
#include "api/handlers.h"
#include "label/events.h"

namespace hone::api {
namespace {

Json token_json(const label::TokenRecord& token) {
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
  return body;
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
  const auto tokens = identity.read([&](store::Connection& db) {
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
    items.push_back(token_json(each));
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
  return once_over_both(call, [&]() -> Answer {
    const auto made = identity.write([&](store::Transaction& tx) {
      return identity.add_token(tx, call.who(), call.text("name"), scopes, life_ms);
    });
    record_token(call, actor, "token.made", made.token.id);
    Json body = Json::object();
    body["token"] = token_json(made.token);
    body["secret"] = made.secret;
    return {.status = 201, .body = std::move(body), .has_secret = true};
  });
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
