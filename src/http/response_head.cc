#include "http/response_head.h"

#include <charconv>
#include <ctime>

namespace hone::http {
namespace {

void append_number(std::string& out, uint64_t number, int base = 10) {
  char digits[24];
  const auto end = std::to_chars(std::begin(digits), std::end(digits), number, base).ptr;
  out.append(digits, end);
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  out += value;
  out += "\r\n";
}

bool is_ours_to_say(std::string_view name) {
  return equals_ignoring_case(name, "Content-Length") ||
         equals_ignoring_case(name, "Transfer-Encoding") ||
         equals_ignoring_case(name, "Connection") || equals_ignoring_case(name, "Date");
}

bool accepts_gzip(const Headers& headers) {
  for (std::string_view rest : headers.all("Accept-Encoding")) {
    while (!rest.empty()) {
      const size_t comma = rest.find(',');
      std::string_view word = rest.substr(0, comma);
      rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
      while (!word.empty() && word.front() == ' ') word.remove_prefix(1);
      const std::string_view name = word.substr(0, word.find_first_of("; "));
      // "gzip;q=0" and "gzip; q=0.0" mean no.
      const size_t quality = word.find("q=");
      const bool refused = quality != std::string_view::npos &&
                           word.find_first_of("123456789", quality) == std::string_view::npos;
      if (equals_ignoring_case(name, "gzip")) return !refused;
    }
  }
  return false;
}

std::string gzip_etag(const std::string& etag) {
  return etag.size() < 2 ? etag : etag.substr(0, etag.size() - 1) + "-gz\"";
}

bool matches_etag(const Headers& headers, const StaticFile& file) {
  const auto wanted = headers.find("If-None-Match");
  if (!wanted || file.etag.empty()) return false;
  return *wanted == "*" || wanted->find(file.etag) != std::string_view::npos ||
         wanted->find(gzip_etag(file.etag)) != std::string_view::npos;
}

}  // namespace

std::string http_date(int64_t now_ms) {
  const std::time_t seconds = static_cast<std::time_t>(now_ms / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::string date;
  const auto two = [&date](int number) {
    date += static_cast<char>('0' + number / 10 % 10);
    date += static_cast<char>('0' + number % 10);
  };
  date += kDays[parts.tm_wday];
  date += ", ";
  two(parts.tm_mday);
  date += ' ';
  date += kMonths[parts.tm_mon];
  date += ' ';
  append_number(date, static_cast<uint64_t>(parts.tm_year + 1900));
  date += ' ';
  two(parts.tm_hour);
  date += ':';
  two(parts.tm_min);
  date += ':';
  two(parts.tm_sec);
  return date + " GMT";
}

std::string response_head(int status, const Headers& headers, const HeadFacts& facts) {
  std::string head;
  head.reserve(320);
  head += "HTTP/1.1 ";
  append_number(head, static_cast<uint64_t>(status));
  head += ' ';
  head += reason_phrase(status);
  head += "\r\n";
  append_field(head, "Date", http_date(facts.now_ms));
  for (const auto& [name, value] : headers) {
    if (!is_ours_to_say(name)) append_field(head, name, value);
  }
  if (facts.chunked) {
    append_field(head, "Transfer-Encoding", "chunked");
  } else if (facts.content_length) {
    head += "Content-Length: ";
    append_number(head, *facts.content_length);
    head += "\r\n";
  }
  if (!facts.keep_alive) {
    append_field(head, "Connection", "close");
  } else if (facts.version_minor == 0) {
    append_field(head, "Connection", "keep-alive");
  }
  return head += "\r\n";
}

std::string_view choose_file_form(Response& response, const Request& request) {
  const StaticFile& file = *response.file;
  const bool gzip = !file.gzip.empty() && accepts_gzip(request.headers);
  if (!file.gzip.empty()) response.headers.set("Vary", "Accept-Encoding");
  if (!file.etag.empty()) {
    response.headers.set("ETag", gzip ? gzip_etag(file.etag) : file.etag);
  }
  response.headers.set("Cache-Control",
                       file.cache_control.empty() ? "no-cache" : file.cache_control);
  if (matches_etag(request.headers, file)) {
    response.status = 304;
    return {};
  }
  response.headers.set("Content-Type", file.content_type);
  if (gzip) response.headers.set("Content-Encoding", "gzip");
  return gzip ? file.gzip : file.bytes;
}

void append_chunk(std::string& out, std::string_view bytes) {
  if (bytes.empty()) return;
  append_number(out, bytes.size(), 16);
  out += "\r\n";
  out += bytes;
  out += "\r\n";
}

}  // namespace hone::http
