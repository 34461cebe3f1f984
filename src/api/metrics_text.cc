#include "api/metrics_text.h"

#include "base/json.h"

namespace hone::api {
namespace {

class Lines {
 public:
  void describe(std::string_view name, std::string_view kind, std::string_view help) {
    text_ += "# HELP " + std::string(name) + " " + std::string(help) + "\n";
    text_ += "# TYPE " + std::string(name) + " " + std::string(kind) + "\n";
  }
  void value(std::string_view name, std::string_view labels, double value) {
    text_ += name;
    if (!labels.empty()) text_ += "{" + std::string(labels) + "}";
    text_ += " " + number_to_string(value) + "\n";
  }
  void one(std::string_view name, std::string_view kind, std::string_view help, double number) {
    describe(name, kind, help);
    value(name, {}, number);
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

double number(uint64_t count) { return static_cast<double>(count); }

void add_routes(Lines& lines, const http::ServerMetrics& metrics) {
  lines.describe("hone_http_request_duration_seconds", "histogram",
                 "Time in the handler, by route");
  for (const auto& [route, each] : metrics.routes) {
    const std::string label = "route=\"" + route + "\"";
    uint64_t sum = 0;
    for (size_t i = 0; i < http::kLatencyBuckets; ++i) {
      sum += each.buckets[i];
      const std::string bound =
          i + 1 < http::kLatencyBuckets
              ? number_to_string(static_cast<double>(http::kLatencyBoundsUs[i]) / 1e6)
              : "+Inf";
      lines.value("hone_http_request_duration_seconds_bucket", label + ",le=\"" + bound + "\"",
                  number(sum));
    }
    lines.value("hone_http_request_duration_seconds_sum", label, number(each.sum_us) / 1e6);
    lines.value("hone_http_request_duration_seconds_count", label, number(each.requests));
  }
}

void add_server(Lines& lines, const http::ServerMetrics& metrics) {
  lines.describe("hone_http_requests_total", "counter", "Answers by class of status");
  for (size_t i = 1; i < std::size(metrics.requests_by_class); ++i) {
    lines.value("hone_http_requests_total", "class=\"" + std::to_string(i) + "xx\"",
                number(metrics.requests_by_class[i]));
  }
  lines.one("hone_http_connections_open", "gauge", "Connections", number(metrics.connections_open));
  lines.one("hone_http_connections_refused_total", "counter", "Connections over the bound",
            number(metrics.connections_refused));
  lines.one("hone_http_received_bytes_total", "counter", "Bytes", number(metrics.bytes_received));
  lines.one("hone_http_sent_bytes_total", "counter", "Bytes", number(metrics.bytes_sent));
  lines.one("hone_http_queue_length", "gauge", "Requests that wait for a worker",
            number(metrics.queue_length));
  lines.one("hone_http_workers_busy", "gauge", "Workers", number(metrics.workers_busy));
  lines.one("hone_http_streams_open", "gauge", "Streamed answers and event streams",
            number(metrics.streams_open));
  add_routes(lines, metrics);
}

// Sums over control.db and the databases of all open organisations.
void add_store(Lines& lines, Platform& platform) {
  store::WriteStatistics sum = platform.control().statistics();
  const auto organisations = platform.open_organisations();
  for (label::Organisation* each : organisations) {
    const store::WriteStatistics one = each->database().statistics();
    sum.jobs += one.jobs;
    sum.jobs_failed += one.jobs_failed;
    sum.groups += one.groups;
    sum.disk_groups += one.disk_groups;
    sum.waiting += one.waiting;
  }
  lines.one("hone_organisations_open", "gauge", "Organisations whose database is open",
            number(organisations.size()));
  lines.one("hone_store_writes_total", "counter", "Writes that were answered", number(sum.jobs));
  lines.one("hone_store_writes_failed_total", "counter", "Writes that failed",
            number(sum.jobs_failed));
  lines.one("hone_store_groups_total", "counter", "Transactions", number(sum.groups));
  lines.one("hone_store_synced_groups_total", "counter", "Transactions synced to the disk",
            number(sum.disk_groups));
  lines.one("hone_store_writes_waiting", "gauge", "Writes in the queue", number(sum.waiting));
}

}  // namespace

std::string metrics_text(Platform& platform) {
  Lines lines;
  lines.one("hone_event_streams_open", "gauge", "Pages that listen for events",
            number(platform.events().streams()));
  add_store(lines, platform);
  if (platform.server_metrics()) add_server(lines, platform.server_metrics()());
  std::string text = lines.take();
  if (platform.more_metrics()) text += platform.more_metrics()();
  return text;
}

}  // namespace hone::api
