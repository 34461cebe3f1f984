#include "label/events.h"

#include <algorithm>

#include "label/organisation.h"
#include "seal/digest.h"

namespace hone::label {
namespace {

constexpr int64_t kPage = 5000;
constexpr std::string_view kColumns =
    "SELECT id, at_ms, actor, kind, object, project_id, from_state, to_state, data, hash FROM "
    "event ";

std::string to_bytes(std::string_view hex) {
  const auto digit = [](char c) {
    return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10);
  };
  std::string bytes(hex.size() / 2, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<char>(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
  }
  return bytes;
}

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const char c : bytes) {
    hex += kDigits[static_cast<unsigned char>(c) >> 4];
    hex += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return hex;
}

const std::string& no_hash() {
  static const std::string kZeros(64, '0');
  return kZeros;
}

// The members stand in their sorted order; the data has its own canonical form.
std::string chain_hash(const std::string& previous, int64_t at_ms, std::string_view actor,
                       std::string_view kind, std::string_view object,
                       const std::optional<int64_t>& project, std::string_view from,
                       std::string_view to, std::string_view data) {
  std::string text = previous;
  text += "{\"actor\":";
  append_json_string(text, actor);
  text += ",\"at\":" + std::to_string(at_ms) + ",\"data\":";
  text += data;
  text += ",\"from\":";
  append_json_string(text, from);
  text += ",\"kind\":";
  append_json_string(text, kind);
  text += ",\"object\":";
  append_json_string(text, object);
  text += ",\"project\":" + (project ? std::to_string(*project) : "null") + ",\"to\":";
  append_json_string(text, to);
  text += '}';
  return seal::sha256_hex(text);
}

EventRow read_event(const store::Row& row) {
  EventRow event;
  event.id = row.int64(0);
  event.at_ms = row.int64(1);
  event.actor = row.string(2);
  event.kind = row.string(3);
  event.object = row.string(4);
  event.project_id = row.optional_int64(5);
  event.from = row.string(6);
  event.to = row.string(7);
  event.data = Json::parse(row.text(8)).value();
  event.hash = to_hex(row.bytes(9));
  return event;
}

// Kinds that labelling writes with every answer. The index by kind has all others (migration 0003); its
// condition must stand in the statement word for word.
constexpr std::string_view kFrequentKinds[] = {"assignment.leased", "annotation.submitted",
                                               "task.state_changed"};
constexpr std::string_view kNotFrequent =
    "kind NOT IN ('assignment.leased', 'annotation.submitted', 'task.state_changed')";

// Whether no frequent kind is meant by this kind, or by all that begin so.
bool is_rare(std::string_view kind) {
  return std::none_of(std::begin(kFrequentKinds), std::end(kFrequentKinds),
                      [&](std::string_view frequent) {
                        return kind.ends_with('.') ? frequent.starts_with(kind) : frequent == kind;
                      });
}

// Checks one page behind `after`; returns whether there was one.
bool verify_page(store::Connection& db, int64_t& after, std::string& previous, ChainCheck& check) {
  bool any = false;
  for (const store::Row& row :
       db.query(std::string(kColumns) + "WHERE id > $1 ORDER BY id LIMIT $2", {after, kPage})) {
    any = true;
    after = row.int64(0);
    const std::string hash =
        chain_hash(previous, row.int64(1), row.text(2), row.text(3), row.text(4),
                   row.optional_int64(5), row.text(6), row.text(7), row.text(8));
    previous = to_hex(row.bytes(9));
    ++check.events;
    if (hash != previous && check.intact) {
      check.intact = false;
      check.first_broken = after;
    }
  }
  return any;
}

}  // namespace

int64_t record_event(store::Transaction& tx, int64_t now_ms, const Actor& actor,
                     const NewEvent& event) {
  const auto head = tx.query_one("SELECT hash FROM event ORDER BY id DESC LIMIT 1", {},
                                 [](const store::Row& row) { return to_hex(row.bytes(0)); });
  const std::string data = event.data.dump_canonical();
  const std::string hash =
      to_bytes(chain_hash(head ? *head : no_hash(), now_ms, actor.id, event.kind, event.object,
                          event.project_id, event.from, event.to, data));
  tx.execute(
      "INSERT INTO event (at_ms, actor, kind, object, project_id, from_state, to_state, data, hash)"
      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
      {now_ms, actor.id, event.kind, event.object, event.project_id, event.from, event.to, data,
       store::Bytes{hash}});
  return tx.last_insert_id();
}

std::vector<EventRow> list_events(store::Connection& db, const EventFilter& filter) {
  // By its index, when nothing else that is asked for has a narrower one.
  const bool by_kind = !filter.kind.empty() && is_rare(filter.kind) && filter.object.empty();
  std::string sql(kColumns);
  if (by_kind) sql += "INDEXED BY event_by_kind ";
  std::vector<store::Value> values;
  const auto add = [&](std::string_view condition, const auto& value) {
    values.emplace_back(value);
    sql += values.size() == 1 ? "WHERE " : " AND ";
    sql += condition;
    sql += "$" + std::to_string(values.size());
  };
  // A kind that ends in '.' stands for all under it; '/' is what follows '.'.
  std::string kind_end = filter.kind;
  if (!filter.object.empty()) add("object = ", filter.object);
  if (!filter.actor.empty()) add("actor = ", filter.actor);
  if (filter.project_id) add("project_id = ", *filter.project_id);
  if (filter.before_id) add("id < ", *filter.before_id);
  if (filter.kind.ends_with('.')) {
    kind_end.back() = '/';
    add("kind >= ", filter.kind);
    add("kind < ", kind_end);
  } else if (!filter.kind.empty()) {
    add("kind = ", filter.kind);
  }
  if (by_kind) {
    sql += " AND ";
    sql += kNotFrequent;
  }
  values.emplace_back(filter.limit);
  sql += " ORDER BY id DESC LIMIT $" + std::to_string(values.size());
  return db.query_all(sql, values, read_event);
}

ChainCheck verify_chain(Organisation& organisation) {
  ChainCheck check;
  int64_t after = 0;
  std::string previous = no_hash();
  while (organisation.read(
      [&](store::Connection& db) { return verify_page(db, after, previous, check); })) {
  }
  check.head = previous;
  return check;
}

}  // namespace hone::label
