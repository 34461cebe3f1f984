#include "train/teacher_words.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "data/jsonl_splitter.h"
#include "tensor/math.h"

namespace hone::train {

namespace {

constexpr size_t kMaxLineBytes = size_t{256} << 20;
constexpr uint64_t kPieceBytes = uint64_t{4} << 20;

const Json& list_of(const Json& json, const char* key) {
  static const Json none;
  const Json* list = json.is_object() ? json.find(key) : nullptr;
  return list == nullptr ? none : *list;
}

}  // namespace

void teacher_words(llm::TrainingPass& pass, std::span<const llm::TreeExample> trees, size_t k,
                   const std::function<void(size_t, TeacherWords)>& tell) {
  llm::for_each_pass(trees, pass.max_rows(), [&](const llm::PlannedPass& planned) {
    std::vector<TeacherWords> words(planned.count);
    size_t tree = 0;
    for (TeacherWords& each : words) each.k = k;
    pass.top_words(planned.rows, planned.targets, k,
                   [&](size_t target, std::span<const llm::TokenLogProb> top) {
                     while (target >= planned.target_begin[tree + 1]) ++tree;
                     TeacherWords& of = words[tree];
                     double said = 0;
                     for (const llm::TokenLogProb& word : top) {
                       of.ids.push_back(word.id);
                       of.log_probs.push_back(word.log_prob);
                       said += tensor::exp_f64(static_cast<double>(word.log_prob));
                     }
                     // As it is written, so that a file and a teacher at hand say the same.
                     of.rest.push_back(
                         static_cast<double>(static_cast<float>(std::clamp(1 - said, 0.0, 1.0))));
                   });
    for (size_t t = 0; t < planned.count; ++t) tell(planned.first + t, std::move(words[t]));
    return true;
  });
}

Json teacher_row(size_t index, const std::vector<int32_t>& tokens, const TeacherWords& words,
                 const std::vector<float>& log_probs) {
  Json row = Json::object(), ids = Json::array(), top_ids = Json::array(), top = Json::array();
  Json rest = Json::array(), own = Json::array();
  for (int32_t id : tokens) ids.push_back(int64_t{id});
  for (Json* each : {&top_ids, &top, &rest, &own}) each->push_back(nullptr);
  for (size_t place = 0; place < words.places(); ++place) {
    Json some_ids = Json::array(), some = Json::array();
    for (size_t i = place * words.k; i < (place + 1) * words.k; ++i) {
      some_ids.push_back(int64_t{words.ids[i]});
      some.push_back(words.log_probs[i]);
    }
    top_ids.push_back(std::move(some_ids));
    top.push_back(std::move(some));
    rest.push_back(static_cast<float>(words.rest[place]));
    own.push_back(log_probs[place]);
  }
  row["index"] = uint64_t{index};
  row["token_ids"] = std::move(ids);
  row["logprobs"] = std::move(own);
  row["top_ids"] = std::move(top_ids);
  row["top_logprobs"] = std::move(top);
  row["rest"] = std::move(rest);
  return row;
}

void TeacherWordsReader::refuse(uint64_t line, const std::string& why) const {
  throw invalid_input(name_ + ":" + std::to_string(line) + ": " + why);
}

void TeacherWordsReader::take_place(const Json& json, size_t token, uint64_t line,
                                    TeacherWords& words) const {
  const std::string where = "token " + std::to_string(token);
  const Json& ids = list_of(json, "top_ids").as_array()[token];
  const Json& log_probs = list_of(json, "top_logprobs").as_array()[token];
  const Json& rest = list_of(json, "rest").as_array()[token];
  if (!ids.is_array() || !log_probs.is_array() || ids.size() != k_ || log_probs.size() != k_) {
    refuse(line, where + " has no top_ids and top_logprobs of " + std::to_string(k_) +
                     " words each, as the first token has");
  }
  std::set<int32_t> seen;
  double said = 0;
  for (size_t i = 0; i < k_; ++i) {
    const Json &id = ids.as_array()[i], &log_prob = log_probs.as_array()[i];
    if (!id.is_integer() || id.as_int() < 0 || static_cast<uint64_t>(id.as_int()) >= vocab_size_ ||
        !seen.insert(static_cast<int32_t>(id.as_int())).second) {
      refuse(line, where + " has the word " + id.dump() + " in top_ids: words are numbers below " +
                       std::to_string(vocab_size_) + ", none twice");
    }
    if (!log_prob.is_number() || !(log_prob.as_double() <= 0 && log_prob.as_double() >= -1e6)) {
      refuse(line, where + " has " + log_prob.dump() +
                       " in top_logprobs: a log-probability is 0 at "
                       "most");
    }
    words.ids.push_back(static_cast<int32_t>(id.as_int()));
    words.log_probs.push_back(static_cast<float>(log_prob.as_double()));
    said += tensor::exp_f64(log_prob.as_double());
  }
  if (!rest.is_number() || !(rest.as_double() >= 0 && rest.as_double() <= 1) ||
      std::abs(said + rest.as_double() - 1) > 1e-2) {
    refuse(line, where + " has a rest of " + rest.dump() + " beside words of " +
                     number_to_string(said) + ": together they must be 1");
  }
  words.rest.push_back(
      static_cast<double>(static_cast<float>(rest.as_double())));  // as it was written
}

void TeacherWordsReader::line(const Json& json, uint64_t line) {
  if (out_.size() >= rows_.size()) {
    refuse(line, "there are only " + std::to_string(rows_.size()) +
                     " training rows: the file was recorded of others");
  }
  const llm::SftTokens& row = rows_[out_.size()];
  const Json& tokens = list_of(json, "token_ids");
  bool same = tokens.is_array() && tokens.size() == row.tokens.size();
  for (size_t i = 0; same && i < row.tokens.size(); ++i) {
    const Json& id = tokens.as_array()[i];
    same = id.is_integer() && id.as_int() == row.tokens[i];
  }
  if (!same) {
    refuse(line, "its token_ids are not those of training row " + row.name +
                     ": record the same rows, with a teacher of the same tokenizer");
  }
  for (const char* key : {"top_ids", "top_logprobs", "rest"}) {
    const Json& list = list_of(json, key);
    if (list.is_array() && list.size() == row.tokens.size()) continue;
    refuse(line, std::string("\"") + key + "\" is not a list with one entry for each of " +
                     std::to_string(row.tokens.size()) + " token_ids");
  }
  TeacherWords words;
  for (size_t i = 1; i < row.tokens.size(); ++i) {
    if (row.trained[i] == 0) continue;
    if (k_ == 0) {
      const Json& first = list_of(json, "top_ids").as_array()[i];
      if (first.is_array()) k_ = std::min(first.size(), kMaxTeacherWords);
      if (k_ == 0) refuse(line, "\"top_ids\" names no word");
    }
    take_place(json, i, line, words);
  }
  words.k = k_;
  out_.push_back(std::move(words));
}

std::vector<TeacherWords> TeacherWordsReader::finish() {
  if (out_.size() == rows_.size()) return std::move(out_);
  throw invalid_input(name_ + " has " + std::to_string(out_.size()) + " rows and there are " +
                      std::to_string(rows_.size()) +
                      " training rows: record all of them (hone score --top-logprobs)");
}

std::vector<TeacherWords> read_teacher_words(Env& env, const std::string& path,
                                             const std::vector<llm::SftTokens>& rows,
                                             size_t vocab_size) {
  if (!env.exists(path))
    throw not_found(path + " is not there: it is to say what the teacher says");
  TeacherWordsReader reader(path, rows, vocab_size);
  data::JsonlSplitter splitter(kMaxLineBytes, [&](Result<Json> value, uint64_t line) {
    if (!value) {
      throw invalid_input(path + ":" + std::to_string(line) + ": " + value.error().message());
    }
    reader.line(*value, line);
  });
  for (uint64_t at = 0;;) {
    const std::string piece = env.read_range(path, at, kPieceBytes);
    if (piece.empty()) break;
    splitter.feed(piece);
    at += piece.size();
  }
  splitter.finish();
  return reader.finish();
}

}  // namespace hone::train
