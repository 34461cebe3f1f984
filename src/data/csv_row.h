#pragma once
// What a CSV cell means (docs/formats/training_rows.md): the column's name decides.
//   text                                     the cell as it is
//   prompt completion chosen rejected        the cell as it is; a JSON array of objects with a role
//                                            is a message list
//   messages, labels, *_ids                  a JSON array
//   weight probability                       a number
//   label                                    true or false in any case, 1 or 0
//   any other                                the cell as it is, as provenance
// An empty cell in a column of the last four lines means that the row has no such key.

#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "data/csv_splitter.h"

namespace hone::data {

class CsvHeader {
 public:
  // Refuses empty and repeated names, bad UTF-8, and a header without one column of a row.
  static Result<CsvHeader> read(const CsvRecord& record);

  // The object that the same row would be in JSONL.
  Result<Json> object_from(CsvRecord& record) const;

 private:
  std::vector<std::string> names_;
};

}  // namespace hone::data
