// hone user add | list | link, hone token create.

#include "api/setup.h"
#include "base/error.h"
#include "cli/admin.h"
#include "cli/common.h"
#include "cli/options.h"

namespace hone::cli {

namespace {

constexpr int kMostPeople = 10'000;

label::Role role_of(const std::string& name) {
  if (const auto role = label::role_from_name(name)) return *role;
  throw invalid_input("--role \"" + name +
                      "\" is none: owner, manager, reviewer, annotator or viewer");
}

std::optional<AdminCommand> user_add(const Arguments& arguments) {
  Where where;
  label::NewPerson person;
  std::string role = "annotator";
  bool token = false;
  Options options("user add", "a new person, with a link that signs in once.", "NAME");
  options.example("hone user add \"Ada Quist\" --role reviewer", "prints a sign-in link");
  options.example("hone user add loader --role manager --token",
                  "prints a key for a program, once");
  options.text("role", &role, "ROLE", "owner, manager, reviewer, annotator or viewer");
  options.text("email", &person.email, "ADDRESS", "what the person signs in with later");
  options.flag("token", &token, "also make a key for programs");
  where.add_to(options);
  const auto words = options.parse(arguments);
  if (options.show_help()) return std::nullopt;
  if (words.size() != 1 || words[0].empty()) {
    throw invalid_input("hone user add takes one name (in quotes when it has spaces)");
  }
  person.name = words[0];
  person.role = role_of(role);
  const auto work = [=](AdminContext& context) {
    label::Identity& identity = context.platform.identity();
    const auto organisation = find_organisation(context.platform, where.organisation);
    const auto made = api::add_person_to(context.platform, organisation, person, "system");
    const std::string link =
        api::make_operator_link(context.platform, organisation, made.person.key);
    std::string secret;
    if (token) {
      secret = identity
                   .write([&](store::Transaction& tx) {
                     return identity.add_token(tx, organisation.key, made.person.key, person.name,
                                               label::Scopes::all(), std::nullopt);
                   })
                   .secret;
    }
    if (where.common.json) {
      Json json = Json::object();
      json["id"] = made.person.id;
      json["sign_in"] = context.sign_in_text(link);
      if (token) json["token"] = secret;
      return json.dump() + "\n";
    }
    std::string text = made.person.id + "  " + person.name + ", " + role + " of " +
                       organisation.name +
                       "\nsign in (once, within 15 minutes): " + context.sign_in_text(link) + "\n";
    if (token) text += "key, shown only now: " + secret + "\n";
    return text;
  };
  return AdminCommand{work, where.data_dir};
}

std::optional<AdminCommand> user_list(const Arguments& arguments) {
  Where where;
  Options options("user list", "who belongs to an organisation.", "");
  options.example("hone user list", "ids, names and roles");
  options.example("hone user list --json", "one line of JSON a person");
  where.add_to(options);
  if (!options.parse(arguments).empty()) throw invalid_input("hone user list takes no words");
  if (options.show_help()) return std::nullopt;
  const auto work = [=](AdminContext& context) {
    label::Identity& identity = context.platform.identity();
    const auto organisation = find_organisation(context.platform, where.organisation);
    std::string text;
    for (const label::PersonRecord& person : identity.read([&](store::Connection& db) {
           return identity.people(db, organisation.key, "", 0, kMostPeople);
         })) {
      if (where.common.json) {
        Json json = Json::object();
        json["id"] = person.id;
        json["name"] = person.name;
        json["role"] = label::role_name(person.role);
        text += json.dump() + "\n";
        continue;
      }
      std::string role(label::role_name(person.role));
      role.resize(12, ' ');
      text += person.id + "  " + role + person.name + "\n";
    }
    return text;
  };
  return AdminCommand{work, where.data_dir};
}

std::optional<AdminCommand> user_link(const Arguments& arguments) {
  Where where;
  Options options("user link", "a link that signs a person in once, within 15 minutes.", "NAME|ID");
  options.example("hone user link \"Ada Quist\"", "for somebody who lost theirs");
  where.add_to(options);
  const auto words = options.parse(arguments);
  if (options.show_help()) return std::nullopt;
  if (words.size() != 1) throw invalid_input("hone user link takes one name, address or id");
  const auto work = [=](AdminContext& context) {
    const auto organisation = find_organisation(context.platform, where.organisation);
    const auto person = find_person(context.platform, organisation, words[0]);
    const std::string link =
        context.sign_in_text(api::make_operator_link(context.platform, organisation, person.key));
    if (!where.common.json) return link + "\n";
    Json json = Json::object();
    json["id"] = person.id;
    json["sign_in"] = link;
    return json.dump() + "\n";
  };
  return AdminCommand{work, where.data_dir};
}

}  // namespace

std::optional<AdminCommand> parse_user(const std::string& object, const Arguments& arguments) {
  if (object == "add") return user_add(arguments);
  return object == "list" ? user_list(arguments) : user_link(arguments);
}

}  // namespace hone::cli
