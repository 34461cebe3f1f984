#include "cli/digest_cache.h"

#include <sys/stat.h>

#include "base/error.h"
#include "base/json.h"
#include "cli/common.h"

namespace hone::cli {
namespace {

constexpr uint64_t kMaxBytes = 1 << 20;
constexpr size_t kEntriesMax = 200;
constexpr int64_t kYoungSeconds = 3;

// "device inode size seconds.nanoseconds"; empty for what is no plain file.
std::string identity_of(Env& env, const std::string& path) {
  struct stat about = {};
  if (stat(path.c_str(), &about) != 0 || !S_ISREG(about.st_mode)) return {};
  if (env.now_ms() / 1000 - about.st_mtim.tv_sec < kYoungSeconds) return {};
  return std::to_string(about.st_dev) + " " + std::to_string(about.st_ino) + " " +
         std::to_string(about.st_size) + " " + std::to_string(about.st_mtim.tv_sec) + "." +
         std::to_string(about.st_mtim.tv_nsec);
}

Json read_entries(Env& env, const std::string& path) {
  try {
    if (env.exists(path)) {
      Result<Json> read = Json::parse(env.read_file(path, kMaxBytes));
      if (read && read->is_object()) return std::move(*read);
    }
  } catch (const Error&) {
    // Not readable: as good as not there.
  }
  return Json::object();
}

}  // namespace

std::string cached_digest(Env& env, const std::string& data_folder, const std::string& path) {
  const std::string file = data_folder + "/digests.json";
  const std::string identity = identity_of(env, path);
  if (identity.empty()) return model_digest(path);
  Json entries = read_entries(env, file);
  if (const Json* known = entries.find(identity); known != nullptr && known->is_string()) {
    return known->as_string();
  }
  const std::string digest = model_digest(path);
  if (identity_of(env, path) != identity) return digest;  // changed meanwhile
  if (entries.size() >= kEntriesMax) entries = Json::object();
  entries[identity] = digest;
  try {
    write_file_atomically(env, file, entries.dump() + "\n");
  } catch (const Error&) {
    // A full disk: the next start computes it again.
  }
  return digest;
}

}  // namespace hone::cli
