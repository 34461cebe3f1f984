#pragma once
// Files of other platforms, element by element, as rows of an import (docs/formats/import.md).
//
// label-studio  tasks of an export or an import file: {"data": {…}, "annotations": […]}. The columns
//               are the keys of data. An annotation that chooses a side (type pairwise, or choices with
//               one of the words of vote_choice) is a vote; what else was said is kept in meta.
// arena         battles: {question_id, model_a, model_b, winner, judge, conversation_a, conversation_b}.
//               What both conversations begin with is the prompt; the rest of each is its response,
//               later turns under "User:" and "Assistant:".
//
// All throw invalid_input with one clause. Pure but for ColumnRoles.

#include <string>
#include <string_view>

#include "base/json.h"
#include "data/object_stream.h"
#include "label/import_columns.h"

namespace hone::label {

enum class ImportFormat { kJsonl, kCsv, kLabelStudio, kArena };
std::string_view import_format_name(ImportFormat format);  // "label-studio"
// Throws invalid_input that names the four.
ImportFormat import_format_from_name(std::string_view name);

// By the first bytes (at least one whole row of them, or all there are).
ImportFormat guess_import_format(std::string_view first_bytes);
// How the bytes of that format are cut into objects.
data::ObjectFormat object_format_of(ImportFormat format, std::string_view first_bytes);

ImportRow row_from_object(ImportFormat format, ColumnRoles& roles, Json&& object);

}  // namespace hone::label
