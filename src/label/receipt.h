#pragma once
// What a browser keeps beside an answer that it could not send yet, so that an answer outlives its
// lease: a lease is committed for the process only and may go with the power (decisions 3.4), an
// answer never. The receipt says what was shown to whom, under a MAC of the organisation's; from it
// submit() makes the assignment again. docs/data_model.md.
//
// "1.<task>.<order>.<guideline>.<schema>.<leased at>.<mac>"; the MAC also binds assignment and member.

#include <cstdint>
#include <string>
#include <string_view>

#include "label/queue.h"

namespace hone::label {

struct Receipt {
  std::string task;  // tsk_…
  std::string shown_order;
  int64_t guideline_version = 0, schema_version = 0, leased_at_ms = 0;
};
std::string make_receipt(const Organisation& organisation, const Lease& lease,
                         std::string_view task);
// Nothing when the organisation never gave it out for this assignment and member.
std::optional<Receipt> open_receipt(const Organisation& organisation, std::string_view receipt,
                                    std::string_view assignment, int64_t member);

}  // namespace hone::label
