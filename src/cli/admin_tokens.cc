// hone token create | list | limit | revoke | usage: keys for programs, what they may ask of models, and
// what they used.

#include <algorithm>
#include <map>

#include "base/env.h"
#include "base/error.h"
#include "cli/admin.h"
#include "cli/options.h"
#include "label/key_limits.h"
#include "usage/ledger.h"
#include "usage/report.h"

namespace hone::cli {

namespace {

using label::KeyLimits;
using label::TokenRecord;

constexpr int64_t kDayMs = label::kDayMs;
constexpr size_t kMostDays = 3650;
constexpr int kMostListed = 10'000;

// --models, --requests-per-day …; what is not said is not bounded.
struct LimitFlags {
  std::vector<std::string> models;
  size_t requests = 0, tokens = 0;
  double weight = 1, priority = 0;

  void add_to(Options& options) {
    options.section("What it may ask of models (/v1)");
    options.list("models", &models, "NAME,..", "names of models and aliases; empty = all");
    options.count("requests-per-day", &requests, "of a UTC day; 0 = no bound");
    options.count("tokens-per-day", &tokens, "of prompts and answers; 0 = no bound");
    options.real("weight", &weight, "of its turns beside other keys: 0.01 to 100");
    options.real("priority", &priority, "-10 to 10; higher goes first, always");
  }
  KeyLimits limits() const {
    KeyLimits made;
    made.models = models;
    if (requests > 0) made.requests_per_day = static_cast<int64_t>(requests);
    if (tokens > 0) made.tokens_per_day = static_cast<int64_t>(tokens);
    made.weight = weight;
    if (priority != static_cast<int>(priority)) {
      throw invalid_input("--priority is a whole number from -10 to 10");
    }
    made.priority = static_cast<int>(priority);
    return made;
  }
};

std::string limits_text(const KeyLimits& limits) {
  std::string text;
  for (const std::string& name : limits.models) text += (text.empty() ? " " : ",") + name;
  if (limits.requests_per_day) {
    text += " " + std::to_string(*limits.requests_per_day) + " requests a day";
  }
  if (limits.tokens_per_day) text += " " + std::to_string(*limits.tokens_per_day) + " tokens a day";
  if (limits.weight != 1) text += " weight " + Json(limits.weight).dump();
  if (limits.priority != 0) text += " priority " + std::to_string(limits.priority);
  return text;
}

Json token_json(const TokenRecord& token, const KeyLimits& limits) {
  Json json = Json::object();
  json["id"] = token.id;
  json["name"] = token.name;
  json["scope"] = token.scope;
  json["person_id"] = token.person_id;
  for (const std::string& name : limits.models) json["models"].push_back(name);
  if (limits.requests_per_day) json["requests_per_day"] = *limits.requests_per_day;
  if (limits.tokens_per_day) json["tokens_per_day"] = *limits.tokens_per_day;
  json["weight"] = limits.weight;
  json["priority"] = int64_t{limits.priority};
  if (token.expires_at_ms) json["expires_at_ms"] = *token.expires_at_ms;
  return json;
}

std::vector<TokenRecord> tokens_of(AdminContext& context, int64_t organisation) {
  label::Identity& identity = context.platform.identity();
  return identity.read(
      [&](store::Connection& db) { return identity.tokens(db, organisation, 0, 0, kMostListed); });
}

// By id, or by a name that only one has.
std::string find_token(AdminContext& context, int64_t organisation, const std::string& named) {
  const TokenRecord* found = nullptr;
  const auto all = tokens_of(context, organisation);
  for (const TokenRecord& token : all) {
    if (token.id == named) return token.id;
    if (token.name != named) continue;
    if (found != nullptr) {
      throw Error(ErrorCode::kConflict,
                  "several keys are called " + named + ": give the id, key_… (hone token list)");
    }
    found = &token;
  }
  if (found == nullptr) {
    throw not_found("there is no key \"" + named + "\" (hone token list shows what there is)");
  }
  return found->id;
}

std::optional<AdminCommand> token_create(const Arguments& arguments) {
  Where where;
  LimitFlags flags;
  std::string name = "program", scope = "all", user;
  size_t days = 0;
  Options options("token create", "a key for programs; it is shown once.", "--user WHO");
  options.example("hone token create --user \"Ada Quist\" --scope \"import export\"",
                  "may do what Ada may, as far as the scope goes");
  options.example(
      "hone token create --user Ada --scope infer --models assistant "
      "--tokens-per-day 100000",
      "asks one model, up to a bound");
  options.text("user", &user, "WHO", "name, address or id of the person whose rights it has");
  options.text("name", &name, "NAME", "what it is for");
  options.text("scope", &scope, "WORDS",
               "all, or some of: read label import export train serve infer");
  options.count("expires-in-days", &days, "0 = never");
  flags.add_to(options);
  where.add_to(options);
  if (!options.parse(arguments).empty()) throw invalid_input("hone token create takes no words");
  if (options.show_help()) return std::nullopt;
  options.require("user", user);
  if (days > kMostDays) {
    throw invalid_input("--expires-in-days is at most " + std::to_string(kMostDays) +
                        "; 0 = never");
  }
  const label::Scopes scopes = label::Scopes::parse(scope);
  const KeyLimits limits = flags.limits();
  const auto work = [=](AdminContext& context) {
    label::Identity& identity = context.platform.identity();
    const auto organisation = find_organisation(context.platform, where.organisation);
    const auto person = find_person(context.platform, organisation, user);
    const auto made = identity.write([&](store::Transaction& tx) {
      auto token = identity.add_token(
          tx, organisation.key, person.key, name, scopes,
          days == 0 ? std::nullopt : std::optional<int64_t>(static_cast<int64_t>(days) * kDayMs));
      label::set_limits(tx, organisation.key, token.token.id, limits);
      return token;
    });
    if (!where.common.json) return made.secret + "\n";
    Json json = Json::object();
    json["id"] = made.token.id;
    json["token"] = made.secret;
    return json.dump() + "\n";
  };
  return AdminCommand{work, where.data_dir};
}

std::optional<AdminCommand> token_list(const Arguments& arguments) {
  Where where;
  Options options("token list", "keys of an organisation, and what they may.", "");
  options.example("hone token list", "ids, names, scopes, quotas; never the key itself");
  where.add_to(options);
  if (!options.parse(arguments).empty()) throw invalid_input("hone token list takes no words");
  if (options.show_help()) return std::nullopt;
  const auto work = [=](AdminContext& context) {
    const auto organisation = find_organisation(context.platform, where.organisation);
    auto all = context.platform.control().read(
        [&](store::Connection& db) { return label::limits_of_tokens(db, organisation.key); });
    std::string text;
    for (const TokenRecord& token : tokens_of(context, organisation.key)) {
      const KeyLimits& limits = all[token.id];
      text += where.common.json
                  ? token_json(token, limits).dump() + "\n"
                  : token.id + "  " + token.name + "  " + token.scope + limits_text(limits) + "\n";
    }
    return text.empty() ? std::string("no keys yet: hone token create --user WHO\n") : text;
  };
  return AdminCommand{work, where.data_dir};
}

std::optional<AdminCommand> token_limit(const Arguments& arguments) {
  Where where;
  LimitFlags flags;
  Options options("token limit", "what a key may ask of models, in place of what it had.",
                  "NAME|ID");
  options.example("hone token limit \"nightly eval\" --requests-per-day 5000 --weight 0.2",
                  "at once, in a running server too");
  options.example("hone token limit \"nightly eval\"", "no bounds any more");
  flags.add_to(options);
  where.add_to(options);
  const auto words = options.parse(arguments);
  if (options.show_help()) return std::nullopt;
  if (words.size() != 1) throw invalid_input("hone token limit takes one name or id");
  const KeyLimits limits = flags.limits();
  const auto work = [=](AdminContext& context) {
    label::Identity& identity = context.platform.identity();
    const auto organisation = find_organisation(context.platform, where.organisation);
    const std::string id = find_token(context, organisation.key, words[0]);
    identity.write(
        [&](store::Transaction& tx) { label::set_limits(tx, organisation.key, id, limits); });
    const std::string said = limits_text(limits);
    return words[0] + ":" + (said.empty() ? " no bounds" : said) + "\n";
  };
  return AdminCommand{work, where.data_dir};
}

std::optional<AdminCommand> token_revoke(const Arguments& arguments) {
  Where where;
  Options options("token revoke", "ends a key at once.", "NAME|ID");
  options.example("hone token revoke \"nightly eval\"", "its next request is refused");
  where.add_to(options);
  const auto words = options.parse(arguments);
  if (options.show_help()) return std::nullopt;
  if (words.size() != 1) throw invalid_input("hone token revoke takes one name or id");
  const auto work = [=](AdminContext& context) {
    label::Identity& identity = context.platform.identity();
    const auto organisation = find_organisation(context.platform, where.organisation);
    const std::string id = find_token(context, organisation.key, words[0]);
    identity.write(
        [&](store::Transaction& tx) { identity.revoke_token(tx, organisation.key, 0, id); });
    return words[0] + " has ended\n";
  };
  return AdminCommand{work, where.data_dir};
}

std::optional<AdminCommand> token_usage(const Arguments& arguments) {
  Where where;
  size_t days = 30;
  std::string key;
  Options options("token usage", "what keys used: requests and tokens by day and model.", "");
  options.example("hone token usage --days 7", "a line a day, key and model; the newest first");
  options.count("days", &days, "back from today, today too");
  options.text("key", &key, "NAME|ID", "one key, or a person's id (usr_…); empty = all");
  where.add_to(options);
  if (!options.parse(arguments).empty()) throw invalid_input("hone token usage takes no words");
  if (options.show_help()) return std::nullopt;
  if (days < 1 || days > kMostDays) {
    throw invalid_input("--days must be from 1 to " + std::to_string(kMostDays));
  }
  const auto work = [=](AdminContext& context) {
    const auto organisation = find_organisation(context.platform, where.organisation);
    std::map<std::string, std::string> names;
    for (const TokenRecord& token : tokens_of(context, organisation.key)) {
      names[token.id] = token.name;
    }
    usage::UsageFilter filter;
    filter.organisation = organisation.id;
    filter.last_day = context.platform.env().now_ms() / usage::kDayMs;
    filter.first_day = filter.last_day - static_cast<int64_t>(days) + 1;
    if (!key.empty()) {
      filter.key = key.rfind("usr_", 0) == 0 ? key : find_token(context, organisation.key, key);
    }
    const auto rows = context.platform.control().read(
        [&](store::Connection& db) { return usage::usage_rows(db, filter); });
    std::string text;
    for (const usage::UsageRow& row : rows) {
      const auto name = names.find(row.key);
      if (where.common.json) {
        Json json = Json::object();
        json["day"] = usage::day_text(row.day);
        json["key_id"] = row.key;
        json["key"] = name == names.end() ? row.key : name->second;
        json["model"] = row.model;
        json["requests"] = row.requests;
        json["prompt_tokens"] = row.prompt_tokens;
        json["cached_tokens"] = row.cached_tokens;
        json["completion_tokens"] = row.completion_tokens;
        text += json.dump() + "\n";
        continue;
      }
      text += usage::day_text(row.day) + "  " + (name == names.end() ? row.key : name->second) +
              "  " + row.model + "  " + std::to_string(row.requests) + " requests, " +
              std::to_string(row.prompt_tokens) + " + " + std::to_string(row.completion_tokens) +
              " tokens\n";
    }
    return text.empty() ? std::string("nothing was used in these days\n") : text;
  };
  return AdminCommand{work, where.data_dir};
}

}  // namespace

std::optional<AdminCommand> parse_token(const std::string& object, const Arguments& arguments) {
  if (object == "create") return token_create(arguments);
  if (object == "list") return token_list(arguments);
  if (object == "limit") return token_limit(arguments);
  if (object == "revoke") return token_revoke(arguments);
  return token_usage(arguments);
}

}  // namespace hone::cli
