#include "llm/batch_pages.h"

#include <algorithm>

#include "base/check.h"

namespace hone::llm {

namespace {

// A part of a page that is shorter is read again rather than copied or kept.
constexpr size_t kBeginningMin = 8;

// Page scores are asked of the stream that reads a prompt; a sample has its own.
void take_scores(RunningRequest& owner, size_t first, std::span<const TokenScore> scores) {
  for (size_t i = 0; i < scores.size(); ++i) {
    owner.scores[first + i].log_prob = scores[i].log_prob;
    owner.scores[first + i].most_likely = {scores[i].best, scores[i].best_log_prob};
  }
}

// Scores of `count` tokens of a page; nothing when some were never computed.
std::vector<TokenScore> scores_of(const BatchStream& stream, size_t first, size_t count) {
  std::vector<TokenScore> out;
  for (size_t at = first; at < first + count; ++at) {
    if (at >= stream.prompt_size()) {
      if (stream.request().head_scale != 1) return {};  // another temperature's
      out.push_back(stream.answer_scores[at - stream.prompt_size()]);
    } else if (stream.request().prompt_scores) {
      const PromptTokenScore& score = stream.owner->scores[at];
      out.push_back({score.log_prob, score.most_likely.id, score.most_likely.log_prob});
    } else {
      return {};
    }
  }
  return out;
}

}  // namespace

bool BatchPages::has_room(const BatchStream& stream, size_t active) const {
  if (active == 0) return true;
  const size_t held = stream.sequence ? cache_.pages(*stream.sequence).size() : 0;
  // Two more than it reads: the next tokens', and the copy of a page that was shared.
  const size_t wanted = KvCache::pages_for(stream.tokens.size()) + 2 - held;
  if (cache_.free_pages() >= wanted + active) return true;
  return cache_.free_pages() + prefixes_.evictable() >= wanted + active;
}

void BatchPages::open(BatchStream& stream) {
  if (stream.sequence) return;
  const BatchRequest& request = stream.request();
  stream.read = 0;
  stream.cached_pages = 0;
  stream.caches = request.use_prefix_cache;
  if (!stream.caches) {
    stream.sequence = cache_.create();
    return;
  }
  stream.place = prefixes_.root(request.cache_scope, request.adapter);
  const bool reads =
      !stream.is_prompt || (request.pooling == Pooling::kNone &&
                            !(request.prompt_scores && request.prompt_top_log_probs > 1));
  std::vector<uint32_t> pages;
  for (size_t end = kPagePositions; reads && end <= stream.tokens.size(); end += kPagePositions) {
    const size_t first = end - kPagePositions;
    const auto tokens = std::span<const int32_t>(stream.tokens).subspan(first, kPagePositions);
    const PrefixCache::Page* page = prefixes_.find(stream.place, tokens, stream.wants_scores());
    if (page == nullptr) break;
    pages.push_back(page->index);
    stream.last_hidden = page->last_hidden;
    if (stream.wants_scores()) take_scores(*stream.owner, first, page->scores);
  }
  stream.sequence = cache_.create_from(pages);
  stream.cached_pages = pages.size();
  stream.read = pages.size() * kPagePositions;
  if (reads) open_beginning(stream);
  prefixes_.touch(stream.place);
}

// A part of a page of another text that begins with the same tokens. The last of them is read again:
// nobody kept its row, from which what follows is known.
void BatchPages::open_beginning(BatchStream& stream) {
  const auto rest = std::span<const int32_t>(stream.tokens).subspan(stream.read);
  const PrefixCache::Beginning same =
      prefixes_.find_beginning(stream.place, rest, stream.wants_scores());
  if (same.count <= kBeginningMin) return;
  const uint32_t page = same.page->index;
  if (stream.wants_scores()) {
    take_scores(*stream.owner, stream.read, std::span(same.page->scores).first(same.count));
  }
  cache_.hold(page);  // room for the copy is not made of it
  evict_for(1);
  while (cache_.free_pages() == 0 && prefixes_.evict_one()) {
  }
  if (cache_.append_copy(*stream.sequence, page, same.count - 1)) {
    stream.read += same.count - 1;
    stream.last_hidden.clear();
  }
  cache_.let_go(page);
}

// Pages that only the prefix cache holds give way before more than the kept ones are in use.
void BatchPages::evict_for(size_t fresh) {
  while (fresh > 0 && cache_.page_count() - cache_.free_pages() + fresh > kept_) {
    if (!prefixes_.evict_one()) break;
  }
}

bool BatchPages::extend(BatchStream& stream, size_t count, const Streams& all) {
  evict_for(KvCache::pages_for(cache_.length(*stream.sequence) + count) -
            cache_.pages(*stream.sequence).size());
  while (!cache_.extend(*stream.sequence, count)) {
    if (prefixes_.evict_one()) continue;
    BatchStream* last = nullptr;
    for (const auto& other : all) {
      if (!other->sequence || cache_.pages(*other->sequence).empty()) continue;
      if (last == nullptr || last->comes_before(*other)) last = other.get();
    }
    if (last == nullptr || last->comes_before(stream)) last = &stream;
    put_aside(*last);
    if (last == &stream) return false;
  }
  return true;
}

void BatchPages::give_back(bool is_idle) {
  const auto in_use = [&] { return cache_.page_count() - cache_.free_pages(); };
  // What ran last left its pages to the prefix cache.
  while (is_idle && in_use() > kept_ && prefixes_.evict_one()) {
  }
  const size_t used = in_use();
  // Beside running answers only what is far too much: what is returned may be wanted soon.
  const size_t wanted = std::max(used, kept_);
  if (is_idle || cache_.resident_pages() > 2 * wanted) cache_.give_back(wanted);
}

void BatchPages::put_aside(BatchStream& stream) {
  close(stream);
  stream.active = false;
  ++put_aside_count_;
}

void BatchPages::fork(const BatchStream& prompt, BatchStream& sample) {
  sample.sequence = cache_.fork(*prompt.sequence, prompt.tokens.size());
  sample.read = prompt.tokens.size();
  sample.caches = prompt.caches;
  sample.place = prompt.place;
  sample.cached_pages = prompt.cached_pages;
}

void BatchPages::close(BatchStream& stream) {
  if (stream.sequence) cache_.release(*stream.sequence);
  stream.sequence.reset();
  stream.read = 0;
  stream.planned = 0;
  stream.last_hidden.clear();
}

void BatchPages::keep(const BatchPass::FullPage& full) {
  BatchStream& stream = *full.stream;
  if (!stream.caches || !stream.sequence || full.number != stream.cached_pages) return;
  const size_t first = full.number * kPagePositions;
  PrefixCache::Page page;
  page.index = cache_.pages(*stream.sequence)[full.number];
  page.tokens.assign(stream.tokens.begin() + static_cast<std::ptrdiff_t>(first),
                     stream.tokens.begin() + static_cast<std::ptrdiff_t>(first + kPagePositions));
  page.last_hidden.assign(full.last_hidden.begin(), full.last_hidden.end());
  page.scores = scores_of(stream, first, kPagePositions);
  const std::optional<uint32_t> index = prefixes_.insert(stream.place, std::move(page));
  if (!index) {
    stream.caches = false;
    return;
  }
  cache_.share_page(*stream.sequence, full.number, *index);
  ++stream.cached_pages;
}

void BatchPages::keep_last(const BatchStream& stream) {
  if (!stream.caches || !stream.sequence) return;
  // Its samples' last pages begin with the prompt's; only its scores would be lost.
  if (stream.is_prompt && stream.wants_next() && !stream.wants_scores()) return;
  const size_t first = stream.cached_pages * kPagePositions;
  if (stream.read < first + kBeginningMin || stream.read >= first + kPagePositions) return;
  const size_t count = stream.read - first;
  PrefixCache::Page page;
  page.index = cache_.pages(*stream.sequence)[stream.cached_pages];
  page.tokens.assign(stream.tokens.begin() + static_cast<std::ptrdiff_t>(first),
                     stream.tokens.begin() + static_cast<std::ptrdiff_t>(stream.read));
  page.scores = scores_of(stream, first, count);
  prefixes_.insert_last(stream.place, std::move(page));
}

}  // namespace hone::llm
