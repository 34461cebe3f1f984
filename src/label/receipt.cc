#include "label/receipt.h"

#include <charconv>

#include "label/organisation.h"
#include "seal/password.h"

namespace hone::label {
namespace {

std::string mac_of(const Organisation& organisation, std::string_view text,
                   std::string_view assignment, int64_t member) {
  const std::string context = "receipt:" + std::string(assignment) + ":" + std::to_string(member);
  return organisation.salted_digest(context, text).substr(0, 32);
}

std::string_view next_field(std::string_view& text) {
  const size_t dot = text.find('.');
  const std::string_view field = text.substr(0, dot);
  text = dot == std::string_view::npos ? std::string_view() : text.substr(dot + 1);
  return field;
}

int64_t number_in(std::string_view text) {
  int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

std::string make_receipt(const Organisation& organisation, const Lease& lease,
                         std::string_view task) {
  std::string text = "1." + std::string(task) + "." + lease.shown_order + "." +
                     std::to_string(lease.guideline_version) + "." +
                     std::to_string(lease.schema_version) + "." +
                     std::to_string(lease.leased_at_ms);
  return text + "." + mac_of(organisation, text, lease.public_id, lease.member);
}

std::optional<Receipt> open_receipt(const Organisation& organisation, std::string_view receipt,
                                    std::string_view assignment, int64_t member) {
  if (receipt.size() > 1000) return std::nullopt;
  const size_t dot = receipt.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  std::string_view text = receipt.substr(0, dot);
  if (!seal::equal_in_constant_time(mac_of(organisation, text, assignment, member),
                                    receipt.substr(dot + 1))) {
    return std::nullopt;
  }
  if (next_field(text) != "1") return std::nullopt;
  Receipt opened;
  opened.task = next_field(text);
  opened.shown_order = next_field(text);
  opened.guideline_version = number_in(next_field(text));
  opened.schema_version = number_in(next_field(text));
  opened.leased_at_ms = number_in(next_field(text));
  return opened;
}

}  // namespace hone::label
