#include "openai/metrics.h"

#include <algorithm>

#include "base/json.h"

namespace hone::openai {
namespace {

void line(std::string& out, std::string_view name, std::string_view labels, double value) {
  out += name;
  if (!labels.empty()) (out += "{").append(labels) += "}";
  (out += " ").append(number_to_string(value)) += "\n";
}

void one(std::string& out, std::string_view name, std::string_view kind, std::string_view help,
         double value) {
  ((((out += "# HELP ") += name) += " ") += help) += "\n";
  ((((out += "# TYPE ") += name) += " ") += kind) += "\n";
  line(out, name, {}, value);
}

double number(uint64_t count) { return static_cast<double>(count); }

}  // namespace

void Histogram::add(double seconds) {
  const auto place = std::lower_bound(kBounds.begin(), kBounds.end(), seconds) - kBounds.begin();
  buckets_[static_cast<size_t>(place)].fetch_add(1, std::memory_order_relaxed);
  sum_us_.fetch_add(static_cast<uint64_t>(std::max(0.0, seconds) * 1e6), std::memory_order_relaxed);
}

void Histogram::write(std::string& out, std::string_view name, std::string_view help) const {
  ((((out += "# HELP ") += name) += " ") += help) += "\n";
  ((out += "# TYPE ") += name) += " histogram\n";
  const std::string bucket = std::string(name) + "_bucket";
  uint64_t sum = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    sum += buckets_[i].load(std::memory_order_relaxed);
    const std::string bound = i < kBounds.size() ? number_to_string(kBounds[i]) : "+Inf";
    line(out, bucket, "le=\"" + bound + "\"", number(sum));
  }
  line(out, std::string(name) + "_sum", {}, number(sum_us_.load()) / 1e6);
  line(out, std::string(name) + "_count", {}, number(sum));
}

std::string metrics_text(const Metrics& metrics, const serve::EngineMetrics& engine,
                         size_t adapters) {
  std::string out;
  const llm::BatcherMetrics& batch = engine.batch;
  const auto counter = [&](std::string_view name, std::string_view help, uint64_t value) {
    one(out, name, "counter", help, number(value));
  };
  const auto gauge = [&](std::string_view name, std::string_view help, uint64_t value) {
    one(out, name, "gauge", help, number(value));
  };
  counter("hone_serve_prompt_tokens_total", "Prompt tokens, with those from the cache",
          batch.prompt_tokens);
  counter("hone_serve_cached_tokens_total", "Prompt tokens that came from the prefix cache",
          batch.cached_tokens);
  counter("hone_serve_generated_tokens_total", "Tokens written", batch.generated_tokens);
  counter("hone_serve_passes_total", "Passes through the model", batch.passes);
  counter("hone_serve_rows_total", "Rows of those passes", batch.rows);
  counter("hone_serve_put_aside_total", "Samples read again for lack of pages", batch.put_aside);
  counter("hone_serve_requests_total", "Prompts that the engine took", engine.requests);
  counter("hone_serve_refused_total", "Prompts refused for full queues", engine.refused);
  counter("hone_serve_cancelled_total", "Prompts whose client left", engine.cancelled);
  counter("hone_serve_timed_out_total", "Prompts over their time limit", engine.timed_out);
  counter("hone_serve_answers_total", "Answers that were given", metrics.answered.load());
  counter("hone_serve_answers_failed_total", "Answers that ended with an error",
          metrics.failed.load());
  counter("hone_serve_answers_dropped_total", "Answers that nobody waited for",
          metrics.dropped.load());
  one(out, "hone_serve_busy_seconds_total", "counter", "Time in the model", engine.busy_seconds);
  gauge("hone_serve_waiting", "Prompts in the queue", engine.waiting);
  gauge("hone_serve_running", "Prompts being answered", engine.running);
  gauge("hone_serve_reading", "Prompts being read", batch.reading);
  gauge("hone_serve_writing", "Samples being written", batch.writing);
  gauge("hone_serve_free_pages", "Pages that hold nothing", batch.free_pages);
  gauge("hone_serve_cached_pages", "Pages of the prefix cache", batch.cached_pages);
  gauge("hone_serve_resident_pages", "Pages that have memory, in use or not", batch.resident_pages);
  gauge("hone_serve_adapters", "Adapters that are loaded", adapters);
  metrics.first_token.write(out, "hone_serve_time_to_first_token_seconds",
                            "From the request to its first token");
  metrics.between_tokens.write(out, "hone_serve_time_between_tokens_seconds",
                               "Between two tokens of one sample");
  metrics.whole.write(out, "hone_serve_request_seconds", "From the request to its answer's end");
  return out;
}

}  // namespace hone::openai
