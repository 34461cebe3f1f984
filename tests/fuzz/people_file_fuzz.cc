// A file of people of any bytes. What must hold: nothing but an Error comes out; a row that is taken is
// whole and within its bounds; no line is both taken and refused.

#include <cstdint>
#include <set>
#include <string_view>

#include "api/people_file.h"
#include "base/check.h"
#include "base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hone::api;
  try {
    const PeopleFile file = read_people_file({reinterpret_cast<const char*>(data), size});
    std::set<int64_t> taken;
    for (const PeopleFile::Row& row : file.rows) {
      HONE_CHECK(!row.name.empty() && row.name.size() <= 800);
      HONE_CHECK(row.email.empty() || row.email.find('@') != std::string::npos);
      HONE_CHECK(row.skills.size() <= 50 && row.languages.size() <= 50);
      taken.insert(row.line);
    }
    for (const PeopleFile::BadLine& bad : file.bad_lines) {
      HONE_CHECK(!bad.reason.empty());
      HONE_CHECK(!taken.contains(bad.line));
    }
    HONE_CHECK(file.rows.size() <= kPeopleOfFileMax);
  } catch (const hone::Error& error) {
    HONE_CHECK(error.code() != hone::ErrorCode::kInternal);
  }
  return 0;
}
