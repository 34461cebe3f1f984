#include "cli/control_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "base/json.h"
#include "cli/common.h"

namespace hone::cli {

namespace {

constexpr size_t kMaxLineBytes = 16 << 20;
constexpr int kPollMs = 200, kClientMs = 10'000, kAnswerMs = 3'600'000;

Error failed(const std::string& what) {
  return {ErrorCode::kUnavailable, what + ": " + std::strerror(errno)};
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    throw invalid_input(path + " is too long for a socket (" +
                        std::to_string(sizeof address.sun_path - 1) +
                        " bytes): choose a shorter --data-dir");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// Up to the end of a line; nothing when it does not come in time or is too long.
std::optional<std::string> read_line(int socket, int timeout_ms) {
  std::string line;
  char piece[1 << 14];
  while (line.size() < kMaxLineBytes) {
    pollfd poller = {socket, POLLIN, 0};
    if (poll(&poller, 1, timeout_ms) <= 0) return std::nullopt;
    const ssize_t count = recv(socket, piece, sizeof piece, 0);
    if (count <= 0) return std::nullopt;
    line.append(piece, static_cast<size_t>(count));
    if (line.back() == '\n') {
      line.pop_back();
      return line;
    }
  }
  return std::nullopt;
}

bool write_all(int socket, const std::string& text) {
  for (size_t done = 0; done < text.size();) {
    const ssize_t count = send(socket, text.data() + done, text.size() - done, MSG_NOSIGNAL);
    if (count <= 0) return false;
    done += static_cast<size_t>(count);
  }
  return true;
}

std::string answer_line(const ControlAnswer& answer) {
  Json json = Json::object();
  json["code"] = answer.code;
  json["out"] = answer.out;
  json["error"] = answer.error;
  return json.dump() + "\n";
}

ControlAnswer handled(const ControlHandler& handler, const std::string& line) {
  try {
    const Json request = Json::parse(line).value();
    Arguments words;
    for (const Json& word : request.at("words").as_array()) words.push_back(word.as_string());
    return handler(words, request.at("folder").as_string());
  } catch (const std::exception& error) {
    return {1, "", error.what()};
  }
}

}  // namespace

ControlSocket::ControlSocket(const std::string& data_folder, ControlHandler handler)
    : path_(data_folder + "/control.sock"), handler_(std::move(handler)) {
  const sockaddr_un address = address_of(path_);
  unlink(path_.c_str());  // of a server that was killed: we hold the folder's lock
  listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener_ < 0) throw failed(path_);
  const mode_t mask = umask(0177);
  const int bound = bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  umask(mask);
  if (bound != 0 || listen(listener_, 16) != 0) {
    close(listener_);
    throw Error(ErrorCode::kUnavailable, path_ + ": " + std::strerror(errno) +
                                             "; commands are taken there: remove what lies there, "
                                             "or name another --data-dir");
  }
  thread_ = std::thread([this] { work(); });
}

ControlSocket::~ControlSocket() {
  stopping_ = true;
  thread_.join();
  close(listener_);
  unlink(path_.c_str());
}

void ControlSocket::work() {
  while (!stopping_) {
    pollfd poller = {listener_, POLLIN, 0};
    if (poll(&poller, 1, kPollMs) <= 0) continue;
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    if (const auto line = read_line(client, kClientMs)) {
      write_all(client, answer_line(handled(handler_, *line)));
    }
    close(client);
  }
}

ControlAnswer ask_server(const std::string& data_folder, const Arguments& words) {
  const std::string path = data_folder + "/control.sock";
  const sockaddr_un address = address_of(path);
  const int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (client < 0) throw failed(path);
  struct Close {
    int socket;
    ~Close() { close(socket); }
  } closer{client};
  if (connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw Error(ErrorCode::kUnavailable,
                "the server that holds " + data_folder +
                    " does not answer on control.sock: is it starting or stopping? Try again");
  }
  Json request = Json::object();
  Json list = Json::array();
  for (const std::string& word : words) list.push_back(word);
  request["words"] = std::move(list);
  request["folder"] = absolute_path(".");
  const auto line = write_all(client, request.dump() + "\n") ? read_line(client, kAnswerMs)
                                                             : std::optional<std::string>();
  if (!line) {
    throw Error(ErrorCode::kUnavailable, "the server that holds " + data_folder +
                                             " ended before it answered: look, and try again");
  }
  const Json answer = Json::parse(*line).value();
  return {static_cast<int>(answer.at("code").as_int()), answer.at("out").as_string(),
          answer.at("error").as_string()};
}

}  // namespace hone::cli
