#pragma once
// Tests only: the public comparison sets of HONE_SHARED_DATA as tables.

#include <cstdint>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "quality/agreement_test_data.h"

namespace hone::quality::test_data {

inline uint32_t index_of(const ComparisonTable& table, const std::string& name) {
  for (uint32_t i = 0; i < table.names.size(); ++i) {
    if (table.names[i] == name) return i;
  }
  ADD_FAILURE() << "no thing is called " << name;
  return 0;
}

// The 8,931 votes of llmfao by worker and task (the pair). With style: (characters of the left
// answer - of the right) / (their sum).
inline ComparisonTable llmfao_votes(bool style = false) {
  const std::string folder = shared_data() + "/llmfao/";
  std::map<std::string, double> length;
  if (style) {
    std::ifstream results(folder + "results.jsonl");
    for (std::string line; std::getline(results, line);) {
      const Json row = Json::parse(line).value();
      size_t characters = 0;
      for (const char byte : row.at("result").as_string()) characters += (byte & 0xc0) != 0x80;
      length[std::to_string(row.at("model").as_int()) + " " +
             std::to_string(row.at("prompt").as_int())] = static_cast<double>(characters);
    }
  }
  ComparisonTableBuilder builder(style ? std::vector<std::string>{"length"}
                                       : std::vector<std::string>{});
  const auto rows = read_rows(folder + "crowd-comparisons.csv");
  for (size_t i = 1; i < rows.size(); ++i) {  // id,prompt,model_x,model_y,worker,winner,left,right
    const Row& r = rows[i];
    const Winner winner = r[5] == "left"    ? Winner::kLeft
                          : r[5] == "right" ? Winner::kRight
                                            : Winner::kTie;
    double difference = 0.0;
    if (style) {
      const double left = length.at(r[2] + " " + r[1]), right = length.at(r[3] + " " + r[1]);
      difference = (left - right) / (left + right);
    }
    const double covariate[1] = {difference};
    builder.add(r[6], r[7], winner, r[4], r[0], 1.0,
                std::span<const double>(covariate, style ? 1 : 0));
  }
  return std::move(builder).build();
}

inline ComparisonTable pandalm_votes() {
  std::ifstream file(shared_data() + "/pandalm/testset-v1.json");
  std::stringstream text;
  text << file.rdbuf();
  const Json rows = Json::parse(text.str()).value();
  ComparisonTableBuilder builder;
  for (const Json& row : rows.as_array()) {
    const std::string& pair = row.at("cmp_key").as_string();
    const size_t cut = pair.find('_');
    for (const std::string annotator : {"annotator1", "annotator2", "annotator3"}) {
      const int64_t verdict = row.at(annotator).as_int();
      builder.add(pair.substr(0, cut), pair.substr(cut + 1),
                  verdict == 1   ? Winner::kLeft
                  : verdict == 2 ? Winner::kRight
                                 : Winner::kTie,
                  annotator, std::to_string(row.at("idx").as_int()));
    }
  }
  return std::move(builder).build();
}

}  // namespace hone::quality::test_data
