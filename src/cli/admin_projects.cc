// hone project list | create | import | export: what the page does, for scripts.

#include "base/env.h"
#include "base/error.h"
#include "cli/admin.h"
#include "cli/common.h"
#include "cli/options.h"
#include "label/export.h"
#include "label/import.h"
#include "label/projects.h"

namespace hone::cli {

namespace {

constexpr size_t kMostProjects = 200;
constexpr size_t kPieceBytes = 256 << 10;

// By id, or by a name that only one has.
label::Project find_project(label::Organisation& organisation, const std::string& named) {
  return organisation.read([&](store::Connection& db) {
    if (named.rfind("prj_", 0) == 0) return label::get_project(db, named);
    label::ProjectFilter filter;
    filter.limit = kMostProjects;
    std::vector<label::Project> found;
    for (label::Project& project : label::list_projects(db, filter)) {
      if (project.name == named) found.push_back(std::move(project));
    }
    if (found.empty()) {
      throw not_found("there is no project \"" + named + "\" (hone project list shows them)");
    }
    if (found.size() > 1) {
      throw Error(ErrorCode::kConflict,
                  "several projects are called " + named + ": give the id (hone project list)");
    }
    return found[0];
  });
}

std::optional<AdminCommand> project_list(const Arguments& arguments) {
  Where where;
  Options options("project list", "the labelling projects of an organisation.", "");
  options.example("hone project list", "ids, states and counts");
  options.example("hone project list --json", "one line of JSON a project");
  where.add_to(options);
  if (!options.parse(arguments).empty()) throw invalid_input("hone project list takes no words");
  if (options.show_help()) return std::nullopt;
  const auto work = [=](AdminContext& context) {
    label::Organisation& organisation = opened(context, where);
    label::ProjectFilter filter;
    filter.limit = kMostProjects;
    std::string text;
    for (const label::Project& project : organisation.read(
             [&](store::Connection& db) { return label::list_projects(db, filter); })) {
      if (where.common.json) {
        Json line = Json::object();
        line["id"] = project.public_id;
        line["name"] = project.name;
        line["task_type"] = project.task_type;
        line["state"] = project.state;
        line["tasks"] = project.counts.tasks;
        line["done"] = project.counts.done;
        line["annotations"] = project.counts.annotations;
        text += line.dump() + "\n";
        continue;
      }
      text += project.public_id + "  " + project.state + "  " +
              std::to_string(project.counts.done) + " of " + std::to_string(project.counts.tasks) +
              " tasks done, " + std::to_string(project.counts.annotations) + " labels  " +
              project.name + "\n";
    }
    return text;
  };
  return AdminCommand{work, where.data_dir};
}

std::optional<AdminCommand> project_create(const Arguments& arguments) {
  Where where;
  std::string type = "pairwise";
  size_t overlap = 1;
  Options options("project create", "a new labelling project; prints its id.", "NAME");
  options.example("hone project create \"Tone of voice\" --type pairwise --overlap 3",
                  "each pair is shown to three people");
  options.text("type", &type, "TYPE", "pairwise ranking rating text safety rubric conversation");
  options.count("overlap", &overlap, "answers that each task needs");
  where.add_to(options);
  const auto words = options.parse(arguments);
  if (options.show_help()) return std::nullopt;
  if (words.size() != 1) throw invalid_input("hone project create takes one name");
  label::NewProject wanted;
  wanted.name = words[0];
  wanted.task_type = type;
  wanted.overlap = static_cast<int64_t>(overlap);
  const auto work = [=](AdminContext& context) {
    label::Organisation& organisation = opened(context, where);
    const std::string id =
        organisation
            .write(store::Durability::kDisk,
                   [&](store::Transaction& tx) {
                     return label::create_project(organisation, tx, label::system_actor(), wanted);
                   })
            .public_id;
    return (where.common.json ? "{\"id\":\"" + id + "\"}" : id) + "\n";
  };
  return AdminCommand{work, where.data_dir};
}

// A file of which nothing became a task is wrong input, whatever the import's row says of it.
Error nothing_usable(const std::string& path, const label::ImportState& state) {
  if (state.rows == 0) return invalid_input(path + " has no rows; give a file with at least one");
  std::string words = path + ": none of " + std::to_string(state.rows) + " rows can be used";
  if (!state.first_errors.empty()) {
    const label::RowError& first = state.first_errors.front();
    words += "; line " + std::to_string(first.line) + ": " + first.reason;
  }
  return invalid_input(words);
}

std::optional<AdminCommand> project_import(const Arguments& arguments) {
  Where where;
  std::string format;
  Options options("project import", "rows of a file become tasks of a project.", "PROJECT FILE");
  options.example("hone project import \"Tone of voice\" pairs.jsonl",
                  "{\"prompt\", \"left\", \"right\"} or {\"prompt\", \"responses\": [a, b]}");
  options.text("format", &format, "FORMAT",
               "jsonl csv label-studio arena; empty = seen from the file");
  where.add_to(options);
  const auto words = options.parse(arguments);
  if (options.show_help()) return std::nullopt;
  if (words.size() != 2) throw invalid_input("hone project import takes a project and a file");
  const auto work = [=](AdminContext& context) {
    label::Organisation& organisation = opened(context, where);
    const std::string path = context.path(words[1]);
    label::ImportRequest request;
    request.project = find_project(organisation, words[0]).public_id;
    request.name = path.substr(path.rfind('/') + 1);
    request.format = format;
    Env& env = context.platform.env();
    label::Importer importer(organisation, label::system_actor(), request);
    for (uint64_t offset = 0;;) {
      const std::string piece = env.read_range(path, offset, kPieceBytes);
      if (piece.empty()) break;
      importer.feed(piece);
      offset += piece.size();
    }
    const label::ImportState state = importer.finish();
    if (state.created + state.duplicates == 0) throw nothing_usable(path, state);
    return state.to_json().dump() + "\n";
  };
  return AdminCommand{work, where.data_dir};
}

std::optional<AdminCommand> project_export(const Arguments& arguments) {
  Where where;
  std::string format = "preferences", output;
  bool overwrite = false;
  Options options("project export", "what people said, as training rows or annotations.",
                  "PROJECT --output FILE");
  options.example("hone project export \"Tone of voice\" --output pairs.jsonl",
                  "for hone train dpo, with probability and weight");
  options.text("format", &format, "FORMAT",
               "preferences sft unpaired annotations csv label-studio");
  options.text("output", &output, "FILE", "a new file");
  options.flag("overwrite", &overwrite, "replace it when it exists");
  where.add_to(options);
  const auto words = options.parse(arguments);
  if (options.show_help()) return std::nullopt;
  if (words.size() != 1) throw invalid_input("hone project export takes one project");
  options.require("output", output);
  const auto work = [=](AdminContext& context) {
    label::Organisation& organisation = opened(context, where);
    const std::string path = new_file(context, output, overwrite);
    label::ExportRequest request;
    request.format = label::export_format_from_name(format);
    const label::Project project = find_project(organisation, words[0]);
    return write_rows(context, path, where.common.json, [&](WritableFile& file) {
      const auto append = [&](std::string_view bytes) { file.append(bytes); };
      return label::export_project(organisation, project, request, append).rows;
    });
  };
  return AdminCommand{work, where.data_dir};
}

}  // namespace

std::optional<AdminCommand> parse_project(const std::string& object, const Arguments& arguments) {
  if (object == "list") return project_list(arguments);
  if (object == "create") return project_create(arguments);
  return object == "import" ? project_import(arguments) : project_export(arguments);
}

}  // namespace hone::cli
