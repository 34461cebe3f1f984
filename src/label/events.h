#pragma once
// Every change of state, append-only and hash-chained: who, when, what, from what to what. Ids and
// salted digests only, never a text (decisions 3.3); docs/formats/events.md has the form and how to
// check the chain without Hone.
//
// hash = SHA-256(previous hash as 64 hexadecimal characters, canonical JSON (RFC 8785) of
// {actor, at, data, from, kind, object, project, to}); the first row follows 64 zeros.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "label/permissions.h"
#include "store/database.h"

namespace hone::label {

class Organisation;

struct NewEvent {
  std::string_view kind = {};    // annotation.submitted, project.changed, …
  std::string_view object = {};  // the public id of what changed
  std::optional<int64_t> project_id = {};
  std::string_view from = {}, to = {};  // states; empty where there is none
  Json data = Json::object();
};
// Inside a write. Returns the event's id.
int64_t record_event(store::Transaction& tx, int64_t now_ms, const Actor& actor,
                     const NewEvent& event);

struct EventRow {
  int64_t id = 0;
  int64_t at_ms = 0;
  std::string actor, kind, object, from, to;
  std::optional<int64_t> project_id;
  Json data;
  std::string hash;  // 64 hexadecimal characters
};
struct EventFilter {
  std::string object, kind, actor;  // empty = any; a kind that ends in "." means all under it
  std::optional<int64_t> project_id;
  std::optional<int64_t> before_id;  // keyset: events with smaller ids
  size_t limit = 50;
};
// Newest first.
std::vector<EventRow> list_events(store::Connection& db, const EventFilter& filter);

struct ChainCheck {
  int64_t events = 0;
  bool intact = true;
  int64_t first_broken = 0;  // id of the first event that does not follow from the one before
  std::string head;          // hash of the last event: keep it elsewhere to notice a cut tail
};
// Reads in pages, each a snapshot of its own: a long chain holds up nobody.
ChainCheck verify_chain(Organisation& organisation);

}  // namespace hone::label
