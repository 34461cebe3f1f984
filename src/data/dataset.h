#pragma once
// A whole file of training rows, in memory, with the digest of its bytes: what a manifest names.
//
// load_dataset throws not_found, invalid_input ("file:line: reason"; a folder; no rows) and what
// Env throws. Nothing reads the file after it returns.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "data/row_reader.h"
#include "data/rows.h"

namespace hone {
class Env;
}

namespace hone::data {

struct Dataset {
  std::string path;
  std::string digest;  // SHA-256 of the file's bytes, 64 hexadecimal digits
  uint64_t bytes = 0;
  std::vector<Row> rows;  // in the file's order
  ReadCounts counts;

  // Rows of each kind, by the kind's number.
  std::array<uint64_t, 9> kind_counts() const;
};

Dataset load_dataset(Env& env, const std::string& path, const ReadOptions& options = {});

// A name for every row, none twice: row_name, and "#2", "#3" after a name that came before.
std::vector<std::string> unique_row_names(const std::vector<Row>& rows);

}  // namespace hone::data
