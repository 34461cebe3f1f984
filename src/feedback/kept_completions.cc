#include "feedback/kept_completions.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "seal/digest.h"
#include "seal/password.h"

namespace hone::feedback {
namespace {

constexpr size_t kMacCharacters = 32;

uint64_t short_digest(std::string_view organisation, std::string_view id) {
  const std::string bytes =
      seal::sha256_bytes(std::string(organisation) + "\n" + std::string(id)).substr(0, 8);
  uint64_t value = 0;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

// A whole number that a double would change is signed as a text.
Json signable(const Json& json) {
  if (json.is_integer()) {
    const double value = json.as_double();
    if (value > 9007199254740992.0 || value < -9007199254740992.0) return Json(json.dump());
    return json;
  }
  if (json.is_array()) {
    Json out = Json::array();
    for (const Json& each : json.as_array()) out.push_back(signable(each));
    return out;
  }
  if (!json.is_object()) return json;
  Json out = Json::object();
  for (const auto& [name, value] : json.as_object()) out[name] = signable(value);
  return out;
}

}  // namespace

void KeptCompletions::keep(KeptCompletion completion) {
  if (!enabled() || completion.head.organisation.empty() || completion.choices.empty()) return;
  const std::string organisation = completion.head.organisation;
  const size_t bytes = completion.bytes();
  const auto kept = std::make_shared<const KeptCompletion>(std::move(completion));
  {
    const std::lock_guard lock(mutex_);
    if (bytes > options_.bytes_max / 10) {
      ++too_large_;
      return;
    }
    Shelf& shelf = shelves_[organisation];
    if (!shelf.by_id.emplace(kept->head.id, kept).second) return;
    shelf.by_age.push_back(kept);
    shelf.bytes += bytes;
    bytes_ += bytes;
    drop_old(organisation, shelf);
    make_room(organisation, shelf);
  }
  if (kept->head.consented && on_consented_) on_consented_(kept);
}

void KeptCompletions::drop_oldest(const std::string& organisation, Shelf& shelf) {
  const KeptPointer oldest = std::move(shelf.by_age.front());
  shelf.by_age.pop_front();
  shelf.by_id.erase(oldest->head.id);
  const size_t bytes = oldest->bytes();
  shelf.bytes -= bytes;
  bytes_ -= bytes;
  note_gone(organisation, oldest->head.id);
}

void KeptCompletions::drop_old(const std::string& organisation, Shelf& shelf) {
  const int64_t oldest_ms = env_.now_ms() - options_.keep_ms;
  while (!shelf.by_age.empty() && shelf.by_age.front()->head.created_at_ms < oldest_ms) {
    drop_oldest(organisation, shelf);
  }
}

void KeptCompletions::make_room(const std::string& organisation, Shelf& shelf) {
  while (shelf.by_age.size() > options_.completions_max || shelf.bytes > options_.bytes_max) {
    drop_oldest(organisation, shelf);
    ++pushed_out_;
  }
  // Over all: from the fullest, so that a small organisation's do not go for a large one's.
  while (bytes_ > options_.total_bytes_max) {
    const auto fullest = std::max_element(
        shelves_.begin(), shelves_.end(),
        [](const auto& a, const auto& b) { return a.second.bytes < b.second.bytes; });
    drop_oldest(fullest->first, fullest->second);
    ++pushed_out_;
  }
}

void KeptCompletions::note_gone(std::string_view organisation, std::string_view id) {
  const uint64_t digest = short_digest(organisation, id);
  if (!gone_.insert(digest).second) return;
  gone_order_.push_back(digest);
  if (gone_order_.size() <= options_.gone_max) return;
  gone_.erase(gone_order_.front());
  gone_order_.pop_front();
}

void KeptCompletions::sweep() {
  const std::lock_guard lock(mutex_);
  for (auto& [organisation, shelf] : shelves_) drop_old(organisation, shelf);
}

KeptPointer KeptCompletions::find(std::string_view organisation, std::string_view id) {
  const std::lock_guard lock(mutex_);
  const auto shelf = shelves_.find(organisation);
  if (shelf == shelves_.end()) return nullptr;
  drop_old(shelf->first, shelf->second);
  const auto found = shelf->second.by_id.find(std::string(id));
  return found == shelf->second.by_id.end() ? nullptr : found->second;
}

bool KeptCompletions::was_here(std::string_view organisation, std::string_view id) {
  const uint64_t digest = short_digest(organisation, id);
  const std::lock_guard lock(mutex_);
  return gone_.contains(digest);
}

void KeptCompletions::forget(std::string_view organisation, std::string_view id) {
  const std::lock_guard lock(mutex_);
  const auto shelf = shelves_.find(organisation);
  if (shelf == shelves_.end()) return;
  auto& [by_age, by_id, shelf_bytes] = shelf->second;
  const auto found = by_id.find(std::string(id));
  if (found == by_id.end()) return;
  const size_t bytes = found->second->bytes();
  shelf_bytes -= bytes;
  bytes_ -= bytes;
  std::erase(by_age, found->second);
  by_id.erase(found);
  note_gone(organisation, id);
}

KeptCounts KeptCompletions::counts() {
  const std::lock_guard lock(mutex_);
  KeptCounts counts;
  for (const auto& [organisation, shelf] : shelves_) counts.completions += shelf.by_id.size();
  counts.bytes = bytes_;
  counts.too_large = too_large_;
  counts.pushed_out = pushed_out_;
  return counts;
}

std::string KeptCompletions::mac(const Completion& head, size_t choice, std::string_view prompt,
                                 std::string_view text) const {
  Json json = Json::object();
  json["organisation"] = head.organisation;
  json["completion"] = head.id;
  json["choice"] = uint64_t{choice};
  json["model"] = head.model;
  json["system_fingerprint"] = head.fingerprint;
  json["settings"] = head.settings;
  if (head.messages.is_null()) {
    json["prompt"] = prompt;
  } else {
    json["messages"] = head.messages;
  }
  json["text"] = text;
  // As a client reads and writes it: an f32 is its decimal.
  const Json read_back = Json::parse(json.dump()).value();
  return seal::salted_digest(secret_, signable(read_back).dump_canonical())
      .substr(0, kMacCharacters);
}

bool KeptCompletions::check(const Answer& answer, std::string_view mac) const {
  const std::string right = this->mac(answer.head, static_cast<size_t>(answer.index),
                                      answer.choice.prompt, answer.choice.text);
  return seal::equal_in_constant_time(right, mac);
}

}  // namespace hone::feedback
