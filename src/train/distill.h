#pragma once
// Distillation from a larger model of the same tokenizer, from config to loop: generalised knowledge
// distillation (arXiv 2306.13649) with TRL's GKD options.
//
// Per token of an answer the generalised Jensen-Shannon divergence of the student's whole
// distribution from the teacher's (tensor/distillation_head.h); the batch's loss is
// sum(w D) / sum(w) over the answers' tokens. With probability lmbda a step takes the student's own
// answers to the rows' prompts in place of the rows' answers, drawn anew from the weights as they
// are; with seq_kd the other steps take the teacher's own answers, drawn once a row. Whether a step
// does, and each answer, is a pure function of seed, step, row and weights, so a resumed run goes on
// to the same bits.
//
// With teacher_top_k, or a teacher whose words were recorded, the divergence is of the k words that
// it finds most likely and all others as one (train/sparse_divergence.h); a row's loss is then
// computed from the student's log-probabilities of those words.
//
// At the end `distillation.json` in the run says what the student kept: mean log-likelihood of the
// held-out answers' tokens under the teacher, the student before and the student after. Without a
// teacher at hand there is none.

#include <vector>

#include "llm/tokenized_rows.h"
#include "llm/tokenizer/tokenizer.h"
#include "train/distill_config.h"
#include "train/rollout.h"
#include "train/teacher_words.h"
#include "train/training_run.h"

namespace hone::train {

// How answers are drawn.
RolloutOptions distill_rollout(const DistillConfig& config);

struct DistillTeacher {
  const llm::Model& model;
  const llm::LoraAdapter* adapter = nullptr;
  // What the answers need; null only with lmbda 0 and without seq_kd.
  const llm::Tokenizer* tokenizer = nullptr;
  std::vector<int32_t> end_of_generation = {};
  // With recorded_teacher: of each training row; `model` is then not read.
  const std::vector<TeacherWords>* recorded = nullptr;
};

TrainResult train_distill(TrainJob& job, const DistillConfig& config,
                          const std::vector<llm::SftTokens>& examples,
                          const std::vector<llm::SftTokens>& eval_examples,
                          const DistillTeacher& teacher);

// The first id under which the two have other words, or nothing.
std::optional<int32_t> first_other_word(const llm::Tokenizer& a, const llm::Tokenizer& b);

// Throws invalid_input that says what differs when the teacher cannot teach: another number of words,
// or another word under an id.
void check_teacher(const llm::Tokenizer& student, const llm::Tokenizer& teacher,
                   const llm::ModelConfig& student_config, const llm::ModelConfig& teacher_config);

}  // namespace hone::train
