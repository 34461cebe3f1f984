#pragma once
// How commands reach the server that holds their data folder: a socket in it that only its owner may
// use (control.sock, 0600). One request is a line of JSON, {"words": [..], "folder": "caller's working folder"}; the answer
// is a line, {"code": 0, "out": "…", "error": "…"}. One request at a time.

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "cli/commands.h"

namespace hone::cli {

struct ControlAnswer {
  int code = 0;
  std::string out, error;
};
using ControlHandler =
    std::function<ControlAnswer(const Arguments& words, const std::string& folder)>;

class ControlSocket {
 public:
  // Listens in the data folder. Throws unavailable.
  ControlSocket(const std::string& data_folder, ControlHandler handler);
  ~ControlSocket();
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

 private:
  void work();

  const std::string path_;
  const ControlHandler handler_;
  int listener_ = -1;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

// Asks the server of this data folder. Throws unavailable when it does not answer.
ControlAnswer ask_server(const std::string& data_folder, const Arguments& words);

}  // namespace hone::cli
