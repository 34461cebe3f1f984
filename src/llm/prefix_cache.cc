#include "llm/prefix_cache.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "seal/digest.h"

namespace hone::llm {

namespace {

PrefixCache::Key key_of(std::string_view what, std::string_view first, std::string_view second) {
  seal::Sha256 hash;
  hash.update(what);
  hash.update(first);
  hash.update(second);
  const std::string bytes = hash.bytes();
  PrefixCache::Key key;
  std::memcpy(key.data(), bytes.data(), sizeof key);
  return key;
}

PrefixCache::Key scope_key(std::string_view scope) { return key_of("scope", scope, {}); }

// Keys live no longer than the process, so the machine's own byte order will do.
PrefixCache::Key page_key(const PrefixCache::Key& parent, std::span<const int32_t> tokens) {
  return key_of("page", {reinterpret_cast<const char*>(parent.data()), sizeof parent},
                {reinterpret_cast<const char*>(tokens.data()), tokens.size_bytes()});
}

}  // namespace

PrefixCache::Place PrefixCache::root(std::string_view scope, const void* adapter) {
  const Key scope_hash = scope_key(scope);
  const Key key = key_of("root", {reinterpret_cast<const char*>(scope_hash.data()), sizeof(Key)},
                         {reinterpret_cast<const char*>(&adapter), sizeof adapter});
  return {key, 0, scope_hash};
}

const PrefixCache::Page* PrefixCache::find(Place& place, std::span<const int32_t> tokens,
                                           bool with_scores) {
  const Key key = page_key(place.key, tokens);
  const auto found = entries_.find(key);
  if (found == entries_.end()) return nullptr;
  const Entry& entry = *found->second;
  if (entry.parent != place.page || entry.parent_key != place.key ||
      !std::equal(tokens.begin(), tokens.end(), entry.page.tokens.begin(),
                  entry.page.tokens.end())) {
    return nullptr;
  }
  if (with_scores && entry.page.scores.empty()) return nullptr;
  place = {key, entry.number, place.scope};
  return &entry.page;
}

PrefixCache::Beginning PrefixCache::find_beginning(const Place& place,
                                                   std::span<const int32_t> tokens,
                                                   bool with_scores) {
  Beginning best;
  Entry* found = nullptr;
  const auto followers = followers_.find(place.key);
  if (followers == followers_.end()) return best;
  for (Entry* entry : followers->second) {
    const Page& page = entry->page;
    if (entry->parent != place.page || (with_scores && page.scores.empty())) continue;
    const auto ends =
        std::mismatch(tokens.begin(), tokens.end(), page.tokens.begin(), page.tokens.end());
    const auto count = static_cast<size_t>(ends.first - tokens.begin());
    if (count <= best.count) continue;
    best = {&page, count};
    found = entry;
  }
  if (found != nullptr) found->used = clock_ + 1;  // with its chain: the caller's touch is next
  return best;
}

PrefixCache::Entry* PrefixCache::entry_of(const Place& place) {
  const auto found = entries_.find(place.key);
  if (found == entries_.end() || found->second->number != place.page) return nullptr;
  return found->second.get();
}

void PrefixCache::touch(const Place& place) {
  ++clock_;
  for (Entry* entry = entry_of(place); entry != nullptr;
       entry = entry_of({entry->parent_key, entry->parent, entry->scope})) {
    entry->used = clock_;
  }
}

std::optional<uint32_t> PrefixCache::insert(Place& place, Page page) {
  HONE_CHECK(page.tokens.size() == kPagePositions);
  const Entry* parent = entry_of(place);
  if (place.page != 0 && parent == nullptr) return std::nullopt;
  const Key key = page_key(place.key, page.tokens);
  const auto found = entries_.find(key);
  if (found != entries_.end()) {
    Entry& entry = *found->second;
    if (entry.parent != place.page || entry.page.tokens != page.tokens) return std::nullopt;
    if (entry.page.scores.empty()) entry.page.scores = std::move(page.scores);
    place = {key, entry.number, place.scope};
    touch(place);
    return entry.page.index;
  }
  const Entry& entry = add(place, key, std::move(page));
  place = {key, entry.number, place.scope};
  touch(place);
  return entry.page.index;
}

void PrefixCache::insert_last(const Place& place, Page page) {
  HONE_CHECK(!page.tokens.empty() && page.tokens.size() < kPagePositions);
  if (place.page != 0 && entry_of(place) == nullptr) return;
  touch(place);
  const bool scored = !page.scores.empty();
  if (find_beginning(place, page.tokens, scored).count == page.tokens.size()) return;
  const Key key = page_key(place.key, page.tokens);
  // One of the same tokens that has no scores, or of another text with the key, gives way; so does
  // one that is only the beginning of this.
  if (const auto same = entries_.find(key); same != entries_.end()) remove(same);
  std::vector<Key> shorter;
  for (const Entry* entry : followers_[place.key]) {
    const Page& other = entry->page;
    if (entry->parent != place.page || other.tokens.size() >= page.tokens.size()) continue;
    if (!scored && !other.scores.empty()) continue;
    if (std::equal(other.tokens.begin(), other.tokens.end(), page.tokens.begin())) {
      shorter.push_back(entry->key);
    }
  }
  for (const Key& each : shorter) remove(entries_.find(each));
  add(place, key, std::move(page)).used = clock_;
}

PrefixCache::Entry& PrefixCache::add(const Place& place, const Key& key, Page page) {
  const Entry* parent = entry_of(place);
  auto entry = std::make_unique<Entry>();
  entry->key = key;
  entry->number = ++last_number_;
  entry->parent = place.page;
  entry->parent_key = place.key;
  entry->depth = parent == nullptr ? 0 : parent->depth + 1;
  entry->scope = place.scope;
  entry->page = std::move(page);
  cache_.hold(entry->page.index);
  followers_[place.key].push_back(entry.get());
  return *entries_.emplace(key, std::move(entry)).first->second;
}

bool PrefixCache::goes_before(const Entry& a, const Entry& b) const {
  return a.used != b.used ? a.used < b.used : a.depth > b.depth;
}

PrefixCache::Entries::iterator PrefixCache::remove(Entries::iterator at) {
  cache_.let_go(at->second->page.index);
  const auto siblings = followers_.find(at->second->parent_key);
  std::erase(siblings->second, at->second.get());
  if (siblings->second.empty()) followers_.erase(siblings);
  return entries_.erase(at);
}

bool PrefixCache::evict_one() {
  auto first = entries_.end();
  for (auto at = entries_.begin(); at != entries_.end(); ++at) {
    if (cache_.references(at->second->page.index) > 1) continue;
    if (first == entries_.end() || goes_before(*at->second, *first->second)) first = at;
  }
  if (first == entries_.end()) return false;
  remove(first);
  return true;
}

size_t PrefixCache::evictable() const {
  return static_cast<size_t>(std::count_if(entries_.begin(), entries_.end(), [&](const auto& at) {
    return cache_.references(at.second->page.index) == 1;
  }));
}

void PrefixCache::drop(std::optional<std::string_view> scope) {
  const Key wanted = scope ? scope_key(*scope) : Key{};
  for (auto at = entries_.begin(); at != entries_.end();) {
    at = !scope || at->second->scope == wanted ? remove(at) : std::next(at);
  }
}

}  // namespace hone::llm
