// What happened here: the chain of events, read and checked.
#include <map>

#include "api/handlers.h"
#include "label/events.h"
#include "label/members.h"

namespace hone::api {
namespace {

// The name of who acted, as the organisation knows them; ids of tokens and the system stand for
// themselves.
class ActorNames {
 public:
  explicit ActorNames(store::Connection& db) : db_(db) {}

  Json named(const std::string& actor) {
    auto found = names_.find(actor);
    if (found == names_.end()) {
      const auto member = label::find_member(db_, actor);
      found = names_.emplace(actor, member ? member->name : actor).first;
    }
    Json body = Json::object();
    body["id"] = actor;
    body["name"] = found->second;
    return body;
  }

 private:
  store::Connection& db_;
  std::map<std::string, std::string> names_;
};

Json event_json(const label::EventRow& event, ActorNames& names) {
  Json body = Json::object();
  body["id"] = event.id;
  body["at"] = time_text(event.at_ms);
  body["actor"] = names.named(event.actor);
  body["kind"] = event.kind;
  body["object"] = event.object;
  body["from"] = event.from;
  body["to"] = event.to;
  body["data"] = event.data;
  body["hash"] = event.hash;
  return body;
}

}  // namespace

http::Response list_audit(Call& call) {
  const PageRequest page = read_page(call.request.query);
  label::EventFilter filter;
  filter.object = call.query("object");
  filter.kind = call.query("kind");
  filter.actor = call.query("actor");
  if (!page.after.empty()) filter.before_id = page.after[0];
  filter.limit = static_cast<size_t>(page.limit) + 1;
  return call.organisation().read([&](store::Connection& db) {
    const auto events = label::list_events(db, filter);
    ActorNames names(db);
    Json::Array items;
    std::optional<std::string> next;
    for (const label::EventRow& each : events) {
      if (items.size() == static_cast<size_t>(page.limit)) {
        next = write_cursor({events[items.size() - 1].id});
        break;
      }
      items.push_back(event_json(each, names));
    }
    return json_response(200, page_body(std::move(items), next));
  });
}

http::Response verify_audit(Call& call) {
  const label::ChainCheck check = label::verify_chain(call.organisation());
  Json body = Json::object();
  body["events"] = check.events;
  body["intact"] = check.intact;
  body["head"] = check.head;
  if (!check.intact) body["first_broken"] = check.first_broken;
  return json_response(200, body);
}

}  // namespace hone::api
