#pragma once
// What a teacher says of the tokens of a row, in a file, for a student elsewhere: of each token the k
// most likely words with their log-probabilities, and the probability of all others together. What
// hone score --top-logprobs writes; docs/formats/teacher_words.md.

#include <cstdint>
#include <string>
#include <vector>

#include "base/env.h"
#include "llm/tokenized_rows.h"
#include "llm/training_pass.h"
#include "llm/tree_scoring.h"

namespace hone::train {

inline constexpr size_t kMaxTeacherWords = 1024;  // of one token

// Of some places, one after another.
struct TeacherWords {
  size_t k = 0;  // words of each place
  std::vector<int32_t> ids;
  std::vector<float> log_probs;
  std::vector<double> rest;  // one a place

  size_t places() const { return rest.size(); }
};

// The trees' targets, which are tokens: what the pass's model says of each target's place. Calls
// `tell` for every tree in order. k at most the vocabulary.
void teacher_words(llm::TrainingPass& pass, std::span<const llm::TreeExample> trees, size_t k,
                   const std::function<void(size_t tree, TeacherWords words)>& tell);

// One line of the file: a row's tokens with what is said of all but the first.
Json teacher_row(size_t index, const std::vector<int32_t>& tokens, const TeacherWords& words,
                 const std::vector<float>& log_probs);

// The file that was recorded of these rows, in their order: of each row the words of its trained
// tokens. Throws invalid_input that names file, line and what is wrong: another number of rows or
// of tokens, other token ids, other k, a probability that is none. vocab_size bounds ids.
std::vector<TeacherWords> read_teacher_words(Env& env, const std::string& path,
                                             const std::vector<llm::SftTokens>& rows,
                                             size_t vocab_size);
// The same out of the file's bytes, in any pieces; `name` stands in messages.
class TeacherWordsReader {
 public:
  TeacherWordsReader(std::string name, const std::vector<llm::SftTokens>& rows, size_t vocab_size)
      : name_(std::move(name)), rows_(rows), vocab_size_(vocab_size) {}
  void line(const Json& json, uint64_t line);
  std::vector<TeacherWords> finish();

 private:
  [[noreturn]] void refuse(uint64_t line, const std::string& why) const;
  void take_place(const Json& json, size_t token, uint64_t line, TeacherWords& words) const;

  std::string name_;
  const std::vector<llm::SftTokens>& rows_;
  size_t vocab_size_, k_ = 0;
  std::vector<TeacherWords> out_;
};

}  // namespace hone::train
