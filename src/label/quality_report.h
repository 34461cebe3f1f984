#pragma once
// What docs/api.md, "Quality", shows: numbers of the room quality and beside each group of them one
// plain sentence that a lead of a labelling project understands. Evidence about people, never a
// verdict: a person decides.
//
// Made from ProjectQuality (project_quality.h), each report once for it. Any thread; no report looks
// at more than the newest kAnswersKept answers one by one. Shares are fractions. Errors: none beyond
// those of the database.

#include "base/json.h"
#include "label/project_quality.h"

namespace hone::label {

// {labels, people, tasks_labelled, method, agreement, answers, certainty, sides, to_do, over_time,
// updated_at}
Json quality_overview(Organisation& organisation, const Project& project);

// {items: [{person: {id, name}, labels, reliability, interval, left_share, left_p, side_biased,
// median_active_ms, gold, confusion, evidence, words}]}; names or pseudonyms.
Json quality_people(Organisation& organisation, const Project& project, bool show_names);

// {items: [{name, score, interval, rank_low, rank_high, battles}], side_effect, fragility, words}
// of the models that the tasks' responses name.
Json quality_ranking(Organisation& organisation, const Project& project);

// {items: [{task_id, prompt, information, probability, annotations}], simple: {more_labels, tasks}}
Json quality_next(Organisation& organisation, const Project& project, size_t limit = 50);

}  // namespace hone::label
