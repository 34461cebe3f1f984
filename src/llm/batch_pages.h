#pragma once
// The pages of the batcher's streams: where they come from, and who gives theirs up when there are
// none left. The order is the arrival's: a stream takes pages from those that came after it, never
// from those before, so the first one always moves on and everything ends.
//
// Internal to llm/batcher.h; the batcher's thread.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "llm/batch_pass.h"
#include "llm/batch_stream.h"

namespace hone::llm {

class BatchPages {
 public:
  using Streams = std::vector<std::unique_ptr<BatchStream>>;

  // kept: pages that stay when nobody uses them.
  BatchPages(const ModelConfig& config, size_t page_count, size_t kept)
      : cache_(config, page_count), prefixes_(cache_), kept_(kept) {}

  KvCache& cache() { return cache_; }
  const KvCache& cache() const { return cache_; }
  PrefixCache& prefixes() { return prefixes_; }
  const PrefixCache& prefixes() const { return prefixes_; }
  uint64_t put_aside_count() const { return put_aside_count_; }

  // Whether a stream of those tokens should start beside `active` others: there is room for it, and
  // for a page more of each of them, so that nobody is put aside at once.
  bool has_room(const BatchStream& stream, size_t active) const;
  // A sequence for the stream, with the pages of its text that are known already.
  void open(BatchStream& stream);
  // Room for `count` more tokens. False when the stream had to be put aside itself.
  bool extend(BatchStream& stream, size_t count, const Streams& all);
  // A sample's stream starts with all of the prompt's pages.
  void fork(const BatchStream& prompt, BatchStream& sample);
  void close(BatchStream& stream);
  // Keeps a page that became full, for those that come with the same text.
  void keep(const BatchPass::FullPage& page);
  // Keeps the last page of a text that came to its end, for those that begin with the same text.
  void keep_last(const BatchStream& stream);
  // Returns the memory of pages that nothing needs now, when nothing runs or it is much.
  void give_back(bool is_idle);

 private:
  void open_beginning(BatchStream& stream);
  void evict_for(size_t fresh);
  void put_aside(BatchStream& stream);

  KvCache cache_;
  PrefixCache prefixes_;
  const size_t kept_;
  uint64_t put_aside_count_ = 0;
};

}  // namespace hone::llm
