#pragma once
// Keys and values of many sequences in pages of 64 positions, shared between forks.
//
// A page holds all layers' streams of 64 positions of one sequence path (decisions 1.2); its
// layout inside a layer is tensor/attention.h's. A fork shares every full page with its parent and
// copies the page that both would write to. Pages are zeroed when taken, the lowest free one first.
// All addresses are taken at construction, so the peak is known before the start; the machine's
// memory is taken page by page as they are used, and give_back() returns what is free.
//
// Thread rule: one thread; the forward pass writes the pages of the runs that it was given.

#include <cstdint>
#include <span>
#include <vector>

#include "llm/model_config.h"
#include "tensor/memory.h"

namespace hone::llm {

inline constexpr size_t kPagePositions = 64;

class KvCache {
 public:
  using SequenceId = uint32_t;

  KvCache(const ModelConfig& config, size_t page_count);
  static size_t page_bytes(const ModelConfig& config);
  // Pages for a sequence of that many positions.
  static size_t pages_for(size_t positions) {
    return (positions + kPagePositions - 1) / kPagePositions;
  }

  SequenceId create();
  // A new sequence whose first `length` positions are the parent's.
  SequenceId fork(SequenceId parent, size_t length);
  // A new sequence whose first positions are those of full pages that somebody holds.
  SequenceId create_from(std::span<const uint32_t> pages);
  void release(SequenceId sequence);

  size_t length(SequenceId sequence) const;  // positions written or reserved
  // Makes positions [length, length + count) writable. False, and nothing changed, when there are
  // not enough free pages.
  [[nodiscard]] bool extend(SequenceId sequence, size_t count);
  // Forgets positions from `length` on.
  void truncate(SequenceId sequence, size_t length);

  // Full pages can outlive their sequence and be shared by others (llm/prefix_cache.h): whoever
  // holds one lets go of it again. A full page is never written again.
  std::span<const uint32_t> pages(SequenceId sequence) const { return sequences_[sequence].pages; }
  void hold(uint32_t page) { ++references_[page]; }
  void let_go(uint32_t page) { drop_page(page); }
  uint32_t references(uint32_t page) const { return references_[page]; }
  // Appends a copy of the first positions of a page that somebody holds to a sequence of full pages.
  // False, and nothing changed, when there is no free page.
  [[nodiscard]] bool append_copy(SequenceId sequence, uint32_t page, size_t positions);
  // The sequence's page of that number gives way to another one of the same content.
  void share_page(SequenceId sequence, size_t number, uint32_t page);

  size_t free_pages() const { return free_.size(); }
  size_t page_count() const { return page_count_; }
  // Pages that have the machine's memory: those in use, and free ones that were used before.
  size_t resident_pages() const { return resident_count_; }
  // Returns the memory of free pages, the highest first, until `keep` pages have memory or none that
  // is free has.
  void give_back(size_t keep);

  // One pointer a page: where the layer's blocks begin. Valid until the sequence changes.
  void layer_blocks(SequenceId sequence, size_t layer, std::vector<float*>* out) const;

 private:
  struct Sequence {
    std::vector<uint32_t> pages;
    size_t length = 0;
    bool live = false;
  };
  float* page(uint32_t index) const;
  uint32_t take_page();
  void drop_page(uint32_t index);

  size_t page_floats_;
  size_t page_count_;
  std::vector<size_t> layer_offset_;  // floats into a page
  tensor::Buffer memory_;
  std::vector<uint32_t> free_;  // a heap, the lowest on top
  std::vector<bool> resident_;
  size_t resident_count_ = 0;
  std::vector<uint32_t> references_;
  std::vector<Sequence> sequences_;
  std::vector<SequenceId> unused_ids_;
};

}  // namespace hone::llm
