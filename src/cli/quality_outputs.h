#pragma once
// The files that hone quality aggregate leaves (docs/formats/labels.md).

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/quality_workers.h"
#include "quality/aggregate.h"
#include "quality/label_table.h"
#include "quality/next_label.h"

namespace hone {
class Env;
}

namespace hone::cli {

// A file that is written in pieces under another name and gets its own when it is whole. Throws
// conflict when it exists and overwrite is false.
void write_in_pieces(
    Env& env, const std::string& path, bool overwrite,
    const std::function<void(const std::function<void(std::string_view)>&)>& write);

// "task,label,probability": every label of every task that has a probability, the likeliest first.
void write_posterior(Env& env, const std::string& path, bool overwrite,
                     const quality::LabelTable& table, const quality::Aggregate& fit);

// "task,label,probability,labels,state": one row a task; of several likeliest labels the first.
void write_answers(Env& env, const std::string& path, bool overwrite,
                   const quality::LabelTable& table, const quality::Aggregate& fit,
                   const quality::StopRule& rule);

// "worker,truth,said,share,low,high".
void write_confusion(Env& env, const std::string& path, bool overwrite,
                     const quality::LabelTable& table, const quality::Aggregate& fit);

std::string_view task_state_word(quality::TaskState state);  // "sure", "ask", "undecided"

}  // namespace hone::cli
