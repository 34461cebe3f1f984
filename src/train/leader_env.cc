#include "train/leader_env.h"

#include <optional>

#include "base/check.h"
#include "base/error.h"

namespace hone::train {

namespace {

// A file that another rank writes.
class NoFile : public WritableFile {
 public:
  void append(std::string_view) override {}
  void sync() override {}
  void close() override {}
};

// First byte of an answer: 0, or 1 + the error's code.
std::string answer(std::string bytes) { return std::string(1, '\0') + std::move(bytes); }
std::string answer(const Error& error) {
  return static_cast<char>(1 + static_cast<int>(error.code())) + error.message();
}

std::string yes_or_no(bool value) { return value ? "1" : ""; }

}  // namespace

template <typename Ask>
std::string LeaderEnv::shared(const Ask& ask) {
  std::string told;
  std::optional<Error> thrown;
  if (ranks_.leads()) {
    try {
      told = answer(ask());
    } catch (const Error& error) {
      thrown = error;
      told = answer(error);
    }
  }
  told = ranks_.broadcast(std::move(told));
  if (thrown) throw *thrown;
  HONE_CHECK(!told.empty());
  if (told[0] != 0) {
    throw Error(static_cast<ErrorCode>(static_cast<int>(told[0]) - 1), told.substr(1));
  }
  return told.substr(1);
}

template <typename Open>
std::unique_ptr<WritableFile> LeaderEnv::opened(const Open& open) {
  std::unique_ptr<WritableFile> file;
  shared([&] {
    file = open();
    return std::string();
  });
  if (file == nullptr) file = std::make_unique<NoFile>();
  return file;
}

std::unique_ptr<WritableFile> LeaderEnv::create_file(const std::string& path) {
  return opened([&] { return behind_.create_file(path); });
}

std::unique_ptr<WritableFile> LeaderEnv::append_file(const std::string& path) {
  return opened([&] { return behind_.append_file(path); });
}

std::string LeaderEnv::read_file(const std::string& path, uint64_t max_bytes) {
  return shared([&] { return behind_.read_file(path, max_bytes); });
}

std::string LeaderEnv::read_range(const std::string& path, uint64_t offset, uint64_t count) {
  return shared([&] { return behind_.read_range(path, offset, count); });
}

bool LeaderEnv::exists(const std::string& path) {
  return !shared([&] { return yes_or_no(behind_.exists(path)); }).empty();
}

bool LeaderEnv::is_directory(const std::string& path) {
  return !shared([&] { return yes_or_no(behind_.is_directory(path)); }).empty();
}

bool LeaderEnv::is_file(const std::string& path) {
  return !shared([&] { return yes_or_no(behind_.is_file(path)); }).empty();
}

uint64_t LeaderEnv::file_size(const std::string& path) {
  return std::stoull(shared([&] { return std::to_string(behind_.file_size(path)); }));
}

std::vector<std::string> LeaderEnv::list_directory(const std::string& path) {
  // No name holds a zero byte.
  const std::string told = shared([&] {
    std::string names;
    for (const std::string& name : behind_.list_directory(path)) names += name + '\0';
    return names;
  });
  std::vector<std::string> names;
  for (size_t begin = 0, end; begin < told.size(); begin = end + 1) {
    end = told.find('\0', begin);
    names.push_back(told.substr(begin, end - begin));
  }
  return names;
}

void LeaderEnv::create_directories(const std::string& path) {
  shared([&] { return behind_.create_directories(path), std::string(); });
}

void LeaderEnv::rename(const std::string& from, const std::string& to) {
  shared([&] { return behind_.rename(from, to), std::string(); });
}

void LeaderEnv::remove_all(const std::string& path) {
  shared([&] { return behind_.remove_all(path), std::string(); });
}

void LeaderEnv::truncate(const std::string& path, uint64_t bytes) {
  shared([&] { return behind_.truncate(path, bytes), std::string(); });
}

void LeaderEnv::sync_directory(const std::string& path) {
  shared([&] { return behind_.sync_directory(path), std::string(); });
}

}  // namespace hone::train
