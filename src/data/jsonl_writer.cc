#include "data/jsonl_writer.h"

#include <filesystem>

#include "base/check.h"
#include "base/env.h"
#include "base/error.h"

namespace hone::data {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 20;

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

std::string part_of(const std::string& path) { return path + ".part"; }

}  // namespace

void refuse_existing(Env& env, const std::string& path, bool overwrite) {
  if (env.is_directory(path)) throw invalid_input(path + " is a folder; name a file");
  if (!env.exists(path)) {
    if (env.is_directory(folder_of(path))) return;
    throw not_found(path + ": there is no folder " + folder_of(path) + "; make it first");
  }
  if (!env.is_file(path)) {
    throw invalid_input(path +
                        " is a device or a pipe; name a file, or leave --output away to write to "
                        "the standard output");
  }
  if (overwrite) return;
  throw Error(ErrorCode::kConflict,
              path + " exists; pass --overwrite to replace it, or choose another name");
}

JsonlWriter::JsonlWriter(Env& env, std::string path, bool overwrite)
    : env_(env), path_(std::move(path)) {
  refuse_existing(env_, path_, overwrite);
  file_ = env_.create_file(part_of(path_));
}

JsonlWriter::~JsonlWriter() {
  if (finished_) return;
  file_.reset();
  try {
    env_.remove_all(part_of(path_));
  } catch (const Error&) {
    // The disk that failed us may refuse this too; what was asked for is reported already.
  }
}

void JsonlWriter::write(const Json& line) { write(next_, line); }

void JsonlWriter::write(uint64_t place, const Json& line) {
  HONE_CHECK(!finished_ && place >= next_ && !early_.contains(place));
  std::string text = line.dump();
  text += '\n';
  if (place != next_) {
    early_.emplace(place, std::move(text));
    return;
  }
  put(text);
  for (auto it = early_.begin(); it != early_.end() && it->first == next_; it = early_.erase(it)) {
    put(it->second);
  }
}

void JsonlWriter::put(const std::string& text) {
  buffer_ += text;
  ++next_;
  if (buffer_.size() < kBufferBytes) return;
  file_->append(buffer_);
  buffer_.clear();
}

void JsonlWriter::finish() {
  HONE_CHECK(!finished_ && early_.empty());
  file_->append(buffer_);
  file_->sync();
  file_->close();
  env_.rename(part_of(path_), path_);
  finished_ = true;
  env_.sync_directory(folder_of(path_));
}

}  // namespace hone::data
