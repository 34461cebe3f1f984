#include "data/dataset.h"

#include <unordered_map>
#include <unordered_set>

#include "base/env.h"
#include "base/error.h"
#include "seal/digest.h"

namespace hone::data {

std::array<uint64_t, 9> Dataset::kind_counts() const {
  std::array<uint64_t, 9> counts_by_kind{};
  for (const Row& row : rows) ++counts_by_kind[static_cast<size_t>(row.kind)];
  return counts_by_kind;
}

Dataset load_dataset(Env& env, const std::string& path, const ReadOptions& options) {
  if (env.is_directory(path)) {
    throw invalid_input(path + " is a folder; name a .jsonl or .csv file in it");
  }
  if (!env.exists(path)) throw not_found(path + ": there is no such file; check its name");
  Dataset dataset;
  dataset.path = path;
  const std::string bytes = env.read_file(path, env.file_size(path));
  dataset.bytes = bytes.size();
  seal::Sha256 sha;
  sha.update(bytes);
  dataset.digest = sha.hex();

  RowReader reader(path, row_format_of(path), options,
                   [&](Row&& row) { dataset.rows.push_back(std::move(row)); });
  reader.feed(bytes);
  reader.finish();
  dataset.counts = reader.counts();
  return dataset;
}

std::vector<std::string> unique_row_names(const std::vector<Row>& rows) {
  std::vector<std::string> names;
  std::unordered_set<std::string> used;
  std::unordered_map<std::string, uint64_t> repeats;
  for (const Row& row : rows) {
    const std::string base = row_name(row);
    std::string name = base;
    while (!used.insert(name).second) {
      const uint64_t repeat = ++repeats[base];
      name = base + "#" + std::to_string(repeat + 1);
    }
    names.push_back(std::move(name));
  }
  return names;
}

}  // namespace hone::data
