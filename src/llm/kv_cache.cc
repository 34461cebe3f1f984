#include "llm/kv_cache.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "base/check.h"
#include "tensor/attention.h"

namespace hone::llm {

namespace {
size_t layer_floats(const LayerConfig& layer) {
  return layer.kv_head_count * tensor::kv_block_floats(layer.head_dim);
}
}  // namespace

size_t KvCache::page_bytes(const ModelConfig& config) {
  size_t floats = 0;
  for (const LayerConfig& layer : config.layers) floats += layer_floats(layer);
  return floats * sizeof(float);
}

KvCache::KvCache(const ModelConfig& config, size_t page_count)
    : page_floats_(page_bytes(config) / sizeof(float)),
      page_count_(page_count),
      memory_(page_count * page_bytes(config)),
      resident_(page_count, false),
      references_(page_count, 0) {
  size_t offset = 0;
  for (const LayerConfig& layer : config.layers) {
    layer_offset_.push_back(offset);
    offset += layer_floats(layer);
  }
  free_.reserve(page_count);
  for (size_t i = 0; i < page_count; ++i) free_.push_back(static_cast<uint32_t>(i));
}

float* KvCache::page(uint32_t index) const { return memory_.as<float>() + index * page_floats_; }

uint32_t KvCache::take_page() {
  std::pop_heap(free_.begin(), free_.end(), std::greater<>());
  const uint32_t index = free_.back();
  free_.pop_back();
  references_[index] = 1;
  if (!resident_[index]) {
    resident_[index] = true;
    ++resident_count_;
  }
  return index;
}

void KvCache::drop_page(uint32_t index) {
  HONE_CHECK(references_[index] > 0);
  if (--references_[index] > 0) return;
  free_.push_back(index);
  std::push_heap(free_.begin(), free_.end(), std::greater<>());
}

void KvCache::give_back(size_t keep) {
  if (resident_count_ <= keep) return;
  std::vector<uint32_t> spare;
  for (uint32_t index : free_) {
    if (resident_[index]) spare.push_back(index);
  }
  std::sort(spare.begin(), spare.end(), std::greater<>());
  spare.resize(std::min(spare.size(), resident_count_ - keep));
  const size_t page_bytes = page_floats_ * sizeof(float);
  // Neighbours together: the machine's pages do not end where these do.
  for (size_t at = 0; at < spare.size();) {
    size_t end = at + 1;
    while (end < spare.size() && spare[end] + 1 == spare[end - 1]) ++end;
    memory_.give_back(spare[end - 1] * page_bytes, (end - at) * page_bytes);
    at = end;
  }
  for (uint32_t index : spare) resident_[index] = false;
  resident_count_ -= spare.size();
}

KvCache::SequenceId KvCache::create() {
  SequenceId id;
  if (unused_ids_.empty()) {
    id = static_cast<SequenceId>(sequences_.size());
    sequences_.emplace_back();
  } else {
    id = unused_ids_.back();
    unused_ids_.pop_back();
  }
  sequences_[id].live = true;
  return id;
}

KvCache::SequenceId KvCache::fork(SequenceId parent, size_t length) {
  HONE_CHECK(length <= sequences_[parent].length);
  const SequenceId child = create();
  const Sequence& from = sequences_[parent];
  Sequence& to = sequences_[child];
  to.pages.assign(from.pages.begin(),
                  from.pages.begin() + static_cast<std::ptrdiff_t>(pages_for(length)));
  to.length = length;
  for (uint32_t page_index : to.pages) ++references_[page_index];
  return child;
}

KvCache::SequenceId KvCache::create_from(std::span<const uint32_t> pages) {
  const SequenceId id = create();
  Sequence& to = sequences_[id];
  to.pages.assign(pages.begin(), pages.end());
  to.length = pages.size() * kPagePositions;
  for (uint32_t page_index : to.pages) {
    HONE_CHECK(references_[page_index] > 0);
    ++references_[page_index];
  }
  return id;
}

bool KvCache::append_copy(SequenceId sequence, uint32_t from, size_t positions) {
  Sequence& s = sequences_[sequence];
  HONE_CHECK(s.live && s.length % kPagePositions == 0 && references_[from] > 0);
  HONE_CHECK(positions > 0 && positions <= kPagePositions);
  if (free_.empty()) return false;
  const uint32_t own = take_page();
  std::memcpy(page(own), page(from), page_floats_ * sizeof(float));
  s.pages.push_back(own);
  s.length += positions;
  return true;
}

void KvCache::share_page(SequenceId sequence, size_t number, uint32_t page_index) {
  Sequence& s = sequences_[sequence];
  HONE_CHECK(s.live && (number + 1) * kPagePositions <= s.length);
  ++references_[page_index];
  drop_page(s.pages[number]);
  s.pages[number] = page_index;
}

void KvCache::release(SequenceId sequence) {
  truncate(sequence, 0);
  sequences_[sequence].live = false;
  unused_ids_.push_back(sequence);
}

size_t KvCache::length(SequenceId sequence) const { return sequences_[sequence].length; }

bool KvCache::extend(SequenceId sequence, size_t count) {
  Sequence& s = sequences_[sequence];
  HONE_CHECK(s.live);
  if (count == 0) return true;
  const bool partial = s.length % kPagePositions != 0;
  const bool copy = partial && references_[s.pages.back()] > 1;
  const size_t fresh = pages_for(s.length + count) - s.pages.size();
  if (free_.size() < fresh + (copy ? 1 : 0)) return false;
  if (copy) {  // the page that both the fork and its parent would write to
    const uint32_t shared = s.pages.back();
    const uint32_t own = take_page();
    std::memcpy(page(own), page(shared), page_floats_ * sizeof(float));
    drop_page(shared);
    s.pages.back() = own;
  }
  for (size_t i = 0; i < fresh; ++i) {
    const uint32_t index = take_page();
    std::memset(page(index), 0, page_floats_ * sizeof(float));
    s.pages.push_back(index);
  }
  s.length += count;
  return true;
}

void KvCache::truncate(SequenceId sequence, size_t length) {
  Sequence& s = sequences_[sequence];
  HONE_CHECK(s.live && length <= s.length);
  while (s.pages.size() > pages_for(length)) {
    drop_page(s.pages.back());
    s.pages.pop_back();
  }
  s.length = length;
}

void KvCache::layer_blocks(SequenceId sequence, size_t layer, std::vector<float*>* out) const {
  out->clear();
  for (uint32_t index : sequences_[sequence].pages)
    out->push_back(page(index) + layer_offset_[layer]);
}

}  // namespace hone::llm
