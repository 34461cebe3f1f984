#pragma once
// What the commands about model files share: how a file is opened, what they say of the one that they
// write, and the writing.

#include <memory>
#include <string>

#include "cli/commands.h"
#include "cli/common.h"
#include "llm/formats/model_writer.h"

namespace hone::cli {

bool is_gguf_name(const std::string& path);
// Throws not_found, or invalid_input for an adapter.
std::unique_ptr<llm::ModelFile> open_model_file(const std::string& path);

struct OutputFlags {
  CommonOptions common;
  std::string model, adapter, output, type;
  bool overwrite = false;

  void add_to(Options& options, bool with_adapter, const char* types);
  // False when help was printed instead.
  bool parse(Options& options, const Arguments& arguments, const char* command);
};

// Writes it whole or not at all and says so. rows: of what is written; changed: its config, when it is
// not the file's own.
int write_model(const OutputFlags& flags, const llm::ModelFile& file, const llm::RowReader& rows,
                const llm::ModelConfig* changed = nullptr);

// hone model info.
int model_info(const Arguments& arguments);

}  // namespace hone::cli
