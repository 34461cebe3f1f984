#pragma once
// JSONL output that comes out in input order whatever order the work finished in, and that never
// replaces a file unasked.
//
// Lines go to "<path>.part"; finish() syncs it and gives it its name, so that an earlier result
// stays whole until the new one is. A writer that is destroyed unfinished removes its part.
// Throws conflict when path exists and overwrite was not said, and what Env throws (full disk:
// unavailable). Used by one thread at a time. Lines that came early wait in memory.

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/json.h"

namespace hone {
class Env;
class WritableFile;
}  // namespace hone

namespace hone::data {

// Before the work starts: throws conflict, naming --overwrite, when path exists and overwrite is
// false; invalid_input when path is a folder, a device or a pipe (a finished result takes its name
// by rename and would replace it); not_found when its folder does not exist.
void refuse_existing(Env& env, const std::string& path, bool overwrite);

class JsonlWriter {
 public:
  JsonlWriter(Env& env, std::string path, bool overwrite);
  ~JsonlWriter();
  JsonlWriter(const JsonlWriter&) = delete;
  JsonlWriter& operator=(const JsonlWriter&) = delete;

  void write(const Json& line);                  // the next place
  void write(uint64_t place, const Json& line);  // places 0, 1, 2, ... in any order, each once
  void finish();                                 // every place up to the last must have come

 private:
  void put(const std::string& text);

  Env& env_;
  const std::string path_;
  std::unique_ptr<WritableFile> file_;
  std::string buffer_;
  std::map<uint64_t, std::string> early_;
  uint64_t next_ = 0;
  bool finished_ = false;
};

}  // namespace hone::data
