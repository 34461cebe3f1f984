#include "llm/batcher.h"

#include <algorithm>
#include <cmath>
#include <deque>

#include "base/check.h"
#include "base/error.h"
#include "llm/batch_answer.h"
#include "llm/batch_check.h"
#include "llm/batch_pages.h"
#include "llm/batch_pass.h"
#include "llm/batch_sample.h"
#include "llm/batch_stream.h"

namespace hone::llm {

std::string_view name(FinishReason reason) {
  return reason == FinishReason::kStop ? "stop" : "length";
}

class Batcher::Impl {
 public:
  Impl(tensor::Compute& compute, const Model& model, const Tokenizer* tokenizer,
       std::vector<int32_t> end_of_generation, const BatcherOptions& options)
      : model_(model),
        tokenizer_(tokenizer),
        options_(options),
        pages_(model.config, options.page_count, options.kept_pages),
        pass_(compute, model, options),
        drawer_(compute, model.config.vocab_size, std::move(end_of_generation)) {}

  Id add(BatchRequest request, BatchListener& listener);
  void cancel(Id id);
  bool step();
  BatcherMetrics metrics() const;
  void drop_cached(std::optional<std::string_view> scope) { pages_.prefixes().drop(scope); }

  void check(const BatchRequest& request) const {
    check_request(model_.config, tokenizer_ != nullptr, options_, request);
  }

 private:
  void activate();
  void start(BatchStream& stream);
  std::vector<BatchStream*> plan();
  void prompt_is_read(BatchStream& prompt, std::vector<Draw>& draws, const BatchPass::Next* next);
  void write(const Draw& draw);
  void end(BatchStream& stream);
  void end_request(RunningRequest& owner, const Error* error);
  void sweep();

  const Model& model_;
  const Tokenizer* tokenizer_;
  BatcherOptions options_;
  BatchPages pages_;
  BatchPass pass_;
  TokenDrawer drawer_;
  std::deque<std::shared_ptr<RunningRequest>> waiting_;
  BatchPages::Streams streams_;  // as they came
  Id last_id_ = 0;
  BatcherMetrics totals_;
};

Batcher::Id Batcher::Impl::add(BatchRequest request, BatchListener& listener) {
  check(request);
  auto running = std::make_shared<RunningRequest>();
  running->id = ++last_id_;
  running->request = std::move(request);
  running->listener = &listener;
  waiting_.push_back(std::move(running));
  return last_id_;
}

void Batcher::Impl::cancel(Id id) {
  for (auto at = waiting_.begin(); at != waiting_.end(); ++at) {
    if ((*at)->id != id) continue;
    const std::shared_ptr<RunningRequest> owner = *at;
    waiting_.erase(at);
    return end_request(*owner, nullptr);
  }
  for (const auto& stream : streams_) {
    if (stream->over || stream->owner->id != id) continue;
    const std::shared_ptr<RunningRequest> owner = stream->owner;
    return end_request(*owner, nullptr);
  }
}

// Ends all of it at once. The streams stay where they are until sweep(): somebody may walk over them.
void Batcher::Impl::end_request(RunningRequest& owner, const Error* error) {
  if (owner.over) return;
  owner.over = true;
  for (const auto& stream : streams_) {
    if (stream->owner.get() != &owner || stream->over) continue;
    stream->over = true;
    pages_.close(*stream);
  }
  owner.listener->on_done(error);
}

void Batcher::Impl::end(BatchStream& stream) {
  if (stream.over) return;
  stream.over = true;
  pages_.keep_last(stream);
  pages_.close(stream);
  if (--stream.owner->streams == 0) end_request(*stream.owner, nullptr);
}

void Batcher::Impl::sweep() {
  std::erase_if(streams_, [](const auto& stream) { return stream->over; });
}

// Gives the places of the batch to those that came first: samples and prompts that wait for one or
// were put aside, then new requests. Nobody overtakes.
void Batcher::Impl::activate() {
  size_t active = static_cast<size_t>(
      std::count_if(streams_.begin(), streams_.end(), [](const auto& s) { return s->active; }));
  for (const auto& stream : streams_) {
    if (stream->active) continue;
    if (active == options_.max_samples || !pages_.has_room(*stream, active)) return;
    start(*stream);
    ++active;
  }
  while (!waiting_.empty() && active < options_.max_samples) {
    auto prompt = std::make_unique<BatchStream>();
    prompt->owner = waiting_.front();
    prompt->tokens = prompt->request().prompt;
    if (!pages_.has_room(*prompt, active)) return;
    waiting_.pop_front();
    prompt->owner->streams = 1;
    if (prompt->request().prompt_scores) prompt->owner->scores.resize(prompt->tokens.size());
    start(*prompt);
    ++active;
    streams_.push_back(std::move(prompt));
  }
}

void Batcher::Impl::start(BatchStream& stream) {
  stream.active = true;
  pages_.open(stream);
  RunningRequest& owner = *stream.owner;
  if (owner.seen_cache) return;
  owner.seen_cache = true;
  owner.cached_tokens = stream.read;
  totals_.prompt_tokens += stream.prompt_size();
  totals_.cached_tokens += stream.read;
}

// How much each stream reads in the next pass: a token of every sample that is being written, then
// as much of the others as there is place for, the first first.
std::vector<BatchStream*> Batcher::Impl::plan() {
  size_t rows = 0;
  for (const auto& stream : streams_) {
    if (!stream->active || !stream->is_writing()) continue;
    if (pages_.extend(*stream, 1, streams_)) {
      stream->planned = 1;
      ++rows;
    }
  }
  size_t room = options_.rows_per_pass - rows;
  if (rows > 0) room = std::min(room, options_.prompt_rows_beside_writing);
  for (const auto& stream : streams_) {
    if (!stream->active || stream->planned > 0) continue;
    const size_t count = std::min(room, stream->unread());
    if (count == 0 || !pages_.extend(*stream, count, streams_)) continue;
    stream->planned = count;
    room -= count;
  }
  // A stream that was put aside meanwhile has no plan any more.
  std::vector<BatchStream*> planned;
  for (const auto& stream : streams_) {
    if (stream->active && (stream->planned > 0 || stream->unread() == 0)) {
      planned.push_back(stream.get());
    }
  }
  return planned;
}

bool Batcher::Impl::step() {
  sweep();
  activate();
  std::vector<BatchStream*> planned = plan();
  if (planned.empty()) {
    // Whoever was at work was put aside for one that came before and waits: now it has the pages.
    activate();
    planned = plan();
  }
  if (planned.empty()) {
    HONE_CHECK(streams_.empty() && waiting_.empty());
    pages_.give_back(true);
    return false;
  }
  pass_.run(planned, pages_.cache());
  ++totals_.passes;
  totals_.rows += pass_.rows();
  for (const BatchPass::FullPage& page : pass_.full_pages()) pages_.keep(page);

  std::vector<Draw> draws;
  for (BatchStream* stream : planned) {
    if (stream->over || stream->unread() > 0) continue;
    const BatchPass::Next* next = nullptr;
    for (const BatchPass::Next& each : pass_.next()) {
      if (each.stream == stream) next = &each;
    }
    if (stream->is_prompt) {
      prompt_is_read(*stream, draws, next);
    } else {
      draws.emplace_back(stream, next->logits, next->row);
    }
  }
  std::erase_if(draws, [](const Draw& draw) { return draw.stream->over; });
  drawer_.draw(draws);
  for (const Draw& draw : draws) write(draw);
  sweep();
  std::stable_sort(streams_.begin(), streams_.end(),
                   [](const auto& a, const auto& b) { return a->comes_before(*b); });
  pages_.give_back(streams_.empty() && waiting_.empty());
  return true;
}

namespace {

// Mean or last row, of length 1.
std::vector<float> pooled_vector(const BatchStream& prompt) {
  std::vector<double> sum = prompt.owner->pooled;
  if (prompt.request().pooling == Pooling::kMean) {
    for (double& value : sum) value /= static_cast<double>(prompt.tokens.size());
  }
  double squares = 0;
  for (double value : sum) squares += value * value;
  const double length = std::sqrt(squares);
  std::vector<float> out;
  for (double value : sum) out.push_back(static_cast<float>(length > 0 ? value / length : 0));
  return out;
}

}  // namespace

void Batcher::Impl::prompt_is_read(BatchStream& prompt, std::vector<Draw>& draws,
                                   const BatchPass::Next* next) {
  RunningRequest& owner = *prompt.owner;
  owner.listener->on_prompt(owner.cached_tokens, owner.scores);
  if (!prompt.over && owner.request.pooling != Pooling::kNone) {
    owner.listener->on_pooled(pooled_vector(prompt));
  }
  if (prompt.over) return;
  if (next != nullptr) {
    for (size_t i = 0; i < owner.request.n; ++i) {
      std::unique_ptr<BatchStream> sample = make_sample(prompt, i, tokenizer_);
      pages_.fork(prompt, *sample);
      sample->active = i == 0;  // the prompt's place; the others wait for theirs
      ++owner.streams;
      draws.emplace_back(sample.get(), next->logits, next->row);
      streams_.push_back(std::move(sample));
    }
  }
  end(prompt);
}

void Batcher::Impl::write(const Draw& draw) {
  BatchStream& stream = *draw.stream;
  if (stream.over) return;
  const std::shared_ptr<RunningRequest> owner = stream.owner;
  if (draw.failure) return end_request(*owner, &*draw.failure);
  ++totals_.generated_tokens;
  const std::optional<SampleEnd> last =
      write_token(draw, drawer_, tokenizer_, model_.config.context_length);
  if (!last || stream.over) return;
  if (last->failure) return end_request(*owner, &*last->failure);
  owner->listener->on_end({stream.sample, last->reason, last->text, last->stop, last->token});
  end(stream);
}

BatcherMetrics Batcher::Impl::metrics() const {
  BatcherMetrics out = totals_;
  out.put_aside = pages_.put_aside_count();
  out.waiting = waiting_.size();
  for (const auto& stream : streams_) {
    if (stream->over) continue;
    ++(!stream->active ? out.waiting : stream->is_writing() ? out.writing : out.reading);
  }
  out.free_pages = pages_.cache().free_pages();
  out.cached_pages = pages_.prefixes().size();
  out.resident_pages = pages_.cache().resident_pages();
  return out;
}

namespace {

BatcherOptions within_bounds(BatcherOptions options) {
  options.max_samples = std::max<size_t>(1, options.max_samples);
  options.rows_per_pass = std::max(options.rows_per_pass, options.max_samples);
  options.prompt_rows_beside_writing = std::max<size_t>(1, options.prompt_rows_beside_writing);
  options.page_count = std::max<size_t>(1, options.page_count);
  if (options.kept_pages == 0 || options.kept_pages > options.page_count) {
    options.kept_pages = options.page_count;
  }
  return options;
}

}  // namespace

Batcher::Batcher(tensor::Compute& compute, const Model& model, const Tokenizer* tokenizer,
                 std::vector<int32_t> end_of_generation, const BatcherOptions& options)
    : impl_(std::make_unique<Impl>(compute, model, tokenizer, std::move(end_of_generation),
                                   within_bounds(options))) {}

Batcher::~Batcher() = default;

size_t Batcher::pages_for(const ModelConfig& config, const BatchRequest& request) {
  return request_pages(config, request);
}

Batcher::Memory Batcher::planned_memory(const ModelConfig& config, const BatcherOptions& options) {
  const BatcherOptions bounded = within_bounds(options);
  const size_t page = KvCache::page_bytes(config);
  return {.pages = tensor::mapped_bytes(bounded.page_count * page),
          .kept_pages = tensor::mapped_bytes(bounded.kept_pages * page),
          .passes = BatchPass::planned_bytes(config, bounded)};
}

void Batcher::check(const BatchRequest& request) const { impl_->check(request); }
Batcher::Id Batcher::add(BatchRequest request, BatchListener& listener) {
  return impl_->add(std::move(request), listener);
}
void Batcher::cancel(Id id) { impl_->cancel(id); }
bool Batcher::step() { return impl_->step(); }
BatcherMetrics Batcher::metrics() const { return impl_->metrics(); }
void Batcher::drop_cached(std::optional<std::string_view> scope) { impl_->drop_cached(scope); }

}  // namespace hone::llm
