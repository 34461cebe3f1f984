// Any text as a report of hone eval: what is accepted comes back as it was written, and compares
// with itself as no better.

#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/error.h"
#include "base/json.h"
#include "eval/compare.h"
#include "eval/report.h"

using hone::eval::Report;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto json = hone::Json::parse(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!json) return 0;
  try {
    const Report report = Report::from_json(*json);
    const std::string text = report.to_json().dump_canonical();
    const Report again = Report::from_json(hone::Json::parse(text).value());
    HONE_CHECK(again.to_json().dump_canonical() == text);
    hone::eval::CompareOptions options;
    options.bootstrap_rounds = 20;
    const hone::eval::Comparison same = hone::eval::compare_reports(report, again, options);
    HONE_CHECK(!same.is_better());
    HONE_CHECK(!same.to_text().empty() && !same.to_json().dump_canonical().empty());
  } catch (const hone::Error&) {
    // Refused in words: what a reader should do with such bytes.
  }
  return 0;
}
