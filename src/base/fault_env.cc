#include "base/fault_env.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "base/rng.h"

namespace hone {
namespace {

constexpr uint64_t kSeed = 42;

struct Node {
  bool is_folder = false;
  std::string bytes, synced_bytes;                                   // of a file
  std::map<std::string, std::shared_ptr<Node>> names, synced_names;  // of a folder
};
using NodePtr = std::shared_ptr<Node>;

std::vector<std::string> parts_of(const std::string& path) {
  std::vector<std::string> parts;
  for (size_t at = 0; at < path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    const std::string part = path.substr(at, end - at);
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else if (!part.empty() && part != ".") {
      parts.push_back(part);
    }
    at = end + 1;
  }
  return parts;
}

Error unavailable(const std::string& what, const std::string& path, const char* reason) {
  return Error(ErrorCode::kUnavailable, "cannot " + what + " " + path + ": " + reason);
}
Error absent(const std::string& what, const std::string& path) {
  return not_found("cannot " + what + " " + path + ": No such file or directory");
}

void forget_unsynced(Node& node) {
  node.bytes = node.synced_bytes;
  node.names = node.synced_names;
  for (auto& [name, child] : node.names) forget_unsynced(*child);
}

}  // namespace

struct FaultEnv::Disk {
  mutable std::mutex mutex;
  // All that follows is guarded by the mutex.
  NodePtr root = std::make_shared<Node>();  // "/" and the working folder are one
  uint64_t operations = 0, failing_operation = 0;
  uint64_t crashes = 0;
  std::optional<uint64_t> room_bytes;
  int64_t now_ms = 1'700'000'000'000;
  double steady_seconds = 0;
  Rng entropy{kSeed, rng_stream("fault-env")};

  void begin(const std::string& what, const std::string& path) {
    if (++operations == failing_operation) {
      failing_operation = 0;
      throw unavailable(what, path, "Input/output error");
    }
  }

  NodePtr find(const std::string& path) const {
    NodePtr node = root;
    for (const std::string& part : parts_of(path)) {
      const auto found = node->names.find(part);
      if (found == node->names.end()) return nullptr;
      node = found->second;
    }
    return node;
  }
  NodePtr find_file(const std::string& what, const std::string& path) const {
    NodePtr node = find(path);
    if (node == nullptr) throw absent(what, path);
    if (node->is_folder) throw unavailable(what, path, "Is a directory");
    return node;
  }
  NodePtr find_folder(const std::string& what, const std::string& path) const {
    NodePtr node = find(path);
    if (node == nullptr) throw absent(what, path);
    if (!node->is_folder) throw unavailable(what, path, "Not a directory");
    return node;
  }
  // The folder that holds the last name of path, and that name.
  std::pair<NodePtr, std::string> place_of(const std::string& what, const std::string& path) const {
    std::vector<std::string> parts = parts_of(path);
    if (parts.empty()) throw unavailable(what, path, "Is a directory");
    const std::string name = parts.back();
    parts.pop_back();
    std::string folder = "/";
    for (const std::string& part : parts) folder += part + "/";
    return {find_folder(what, folder), name};
  }
  NodePtr find_or_create_file(const std::string& path) {
    const auto [folder, name] = place_of("write to", path);
    NodePtr& node = folder->names[name];
    if (node == nullptr) node = std::make_shared<Node>();
    if (node->is_folder) throw unavailable("write to", path, "Is a directory");
    return node;
  }
};

class FaultEnv::File : public WritableFile {
 public:
  File(std::shared_ptr<Disk> disk, NodePtr node, std::string path)
      : disk_(std::move(disk)),
        node_(std::move(node)),
        path_(std::move(path)),
        crashes_(disk_->crashes) {}

  void append(std::string_view bytes) override {
    const std::lock_guard lock(disk_->mutex);
    begin("write to");
    uint64_t fitting = bytes.size();
    if (disk_->room_bytes) {
      fitting = std::min(fitting, *disk_->room_bytes);
      *disk_->room_bytes -= fitting;
    }
    node_->bytes += bytes.substr(0, fitting);
    if (fitting < bytes.size()) throw unavailable("write to", path_, "No space left on device");
  }
  void sync() override {
    const std::lock_guard lock(disk_->mutex);
    begin("sync");
    node_->synced_bytes = node_->bytes;
  }
  void close() override {
    const std::lock_guard lock(disk_->mutex);
    begin("close");
    open_ = false;
  }

 private:
  void begin(const char* what) {
    HONE_CHECK(open_);
    if (crashes_ != disk_->crashes) throw unavailable(what, path_, "the machine crashed meanwhile");
    disk_->begin(what, path_);
  }

  std::shared_ptr<Disk> disk_;
  NodePtr node_;
  std::string path_;
  uint64_t crashes_;
  bool open_ = true;
};

FaultEnv::FaultEnv() : disk_(std::make_shared<Disk>()) { disk_->root->is_folder = true; }
FaultEnv::~FaultEnv() = default;

std::unique_ptr<WritableFile> FaultEnv::create_file(const std::string& path) {
  const std::lock_guard lock(disk_->mutex);
  disk_->begin("write to", path);
  NodePtr node = disk_->find_or_create_file(path);
  node->bytes.clear();
  return std::make_unique<File>(disk_, std::move(node), path);
}

std::unique_ptr<WritableFile> FaultEnv::append_file(const std::string& path) {
  const std::lock_guard lock(disk_->mutex);
  disk_->begin("write to", path);
  return std::make_unique<File>(disk_, disk_->find_or_create_file(path), path);
}

std::string FaultEnv::read_file(const std::string& path, uint64_t max_bytes) {
  const std::lock_guard lock(disk_->mutex);
  disk_->begin("read", path);
  const NodePtr node = disk_->find(path);
  if (node != nullptr && node->is_folder) {
    throw invalid_input("cannot read " + path + ": it is a folder");
  }
  if (node == nullptr) throw absent("read", path);
  if (node->bytes.size() > max_bytes) {
    throw Error(ErrorCode::kTooLarge,
                path + " has more than the bound of " + std::to_string(max_bytes) + " bytes");
  }
  return node->bytes;
}

std::string FaultEnv::read_range(const std::string& path, uint64_t offset, uint64_t count) {
  const std::string bytes = read_file(path, UINT64_MAX);
  return offset >= bytes.size() ? std::string() : bytes.substr(offset, count);
}

bool FaultEnv::exists(const std::string& path) {
  const std::lock_guard lock(disk_->mutex);
  return disk_->find(path) != nullptr;
}

bool FaultEnv::is_directory(const std::string& path) {
  const std::lock_guard lock(disk_->mutex);
  const NodePtr node = disk_->find(path);
  return node != nullptr && node->is_folder;
}

bool FaultEnv::is_file(const std::string& path) {
  const std::lock_guard lock(disk_->mutex);
  const NodePtr node = disk_->find(path);
  return node != nullptr && !node->is_folder;
}

uint64_t FaultEnv::file_size(const std::string& path) {
  const std::lock_guard lock(disk_->mutex);
  disk_->begin("read the size of", path);
  return disk_->find_file("read the size of", path)->bytes.size();
}

std::vector<std::string> FaultEnv::list_directory(const std::string& path) {
  const std::lock_guard lock(disk_->mutex);
  disk_->begin("list", path);
  std::vector<std::string> names;
  for (const auto& entry : disk_->find_folder("list", path)->names) names.push_back(entry.first);
  return names;
}

void FaultEnv::create_directories(const std::string& path) {
  const std::lock_guard lock(disk_->mutex);
  disk_->begin("create the folder", path);
  NodePtr node = disk_->root;
  for (const std::string& part : parts_of(path)) {
    NodePtr& child = node->names[part];
    if (child == nullptr) {
      child = std::make_shared<Node>();
      child->is_folder = true;
    }
    if (!child->is_folder) throw unavailable("create the folder", path, "Not a directory");
    node = child;
  }
}

void FaultEnv::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(disk_->mutex);
  disk_->begin("rename to " + to, from);
  const auto [from_folder, from_name] = disk_->place_of("rename to " + to, from);
  const auto found = from_folder->names.find(from_name);
  if (found == from_folder->names.end()) throw absent("rename to " + to, from);
  const NodePtr node = found->second;
  const std::vector<std::string> from_parts = parts_of(from), to_parts = parts_of(to);
  if (to_parts.size() > from_parts.size() &&
      std::equal(from_parts.begin(), from_parts.end(), to_parts.begin())) {
    throw unavailable("rename to " + to, from, "a folder cannot move into itself");
  }
  const auto [target_folder, target_name] = disk_->place_of("rename to " + to, to);
  const auto there = target_folder->names.find(target_name);
  if (there != target_folder->names.end()) {
    if (there->second == node) return;
    if (there->second->is_folder != node->is_folder) {
      throw unavailable("rename to " + to, from, "a file and a folder cannot replace each other");
    }
    if (!there->second->names.empty()) {
      throw unavailable("rename to " + to, from, "Directory not empty");
    }
  }
  target_folder->names[target_name] = node;
  from_folder->names.erase(from_name);
}

void FaultEnv::remove_all(const std::string& path) {
  const std::lock_guard lock(disk_->mutex);
  disk_->begin("remove", path);
  if (disk_->find(path) == nullptr) return;
  const auto [folder, name] = disk_->place_of("remove", path);
  folder->names.erase(name);
}

void FaultEnv::truncate(const std::string& path, uint64_t bytes) {
  const std::lock_guard lock(disk_->mutex);
  disk_->begin("cut", path);
  disk_->find_file("cut", path)->bytes.resize(bytes);
}

void FaultEnv::sync_directory(const std::string& path) {
  const std::lock_guard lock(disk_->mutex);
  disk_->begin("sync the folder", path);
  const NodePtr folder = disk_->find_folder("sync the folder", path);
  folder->synced_names = folder->names;
}

int64_t FaultEnv::now_ms() {
  const std::lock_guard lock(disk_->mutex);
  return disk_->now_ms;
}

double FaultEnv::steady_seconds() {
  const std::lock_guard lock(disk_->mutex);
  return disk_->steady_seconds;
}

void FaultEnv::random_bytes(void* out, size_t n) {
  const std::lock_guard lock(disk_->mutex);
  auto* to = static_cast<unsigned char*>(out);
  for (size_t i = 0; i < n; ++i) to[i] = static_cast<unsigned char>(disk_->entropy.next_u64());
}

void FaultEnv::crash() {
  const std::lock_guard lock(disk_->mutex);
  ++disk_->crashes;
  forget_unsynced(*disk_->root);
}

void FaultEnv::fail_at(uint64_t operation) {
  const std::lock_guard lock(disk_->mutex);
  disk_->failing_operation = operation == 0 ? 0 : disk_->operations + operation;
}

uint64_t FaultEnv::operations() const {
  const std::lock_guard lock(disk_->mutex);
  return disk_->operations;
}

void FaultEnv::full_after(uint64_t bytes) {
  const std::lock_guard lock(disk_->mutex);
  disk_->room_bytes = bytes;
}

void FaultEnv::set_now_ms(int64_t now_ms) {
  const std::lock_guard lock(disk_->mutex);
  disk_->now_ms = now_ms;
}

void FaultEnv::set_steady_seconds(double seconds) {
  const std::lock_guard lock(disk_->mutex);
  disk_->steady_seconds = seconds;
}

}  // namespace hone
