#pragma once
// For tests: a server on a free port of 127.0.0.1, and raw sockets that say whatever they are told.

#include <memory>
#include <string>
#include <string_view>

#include "http/client.h"
#include "http/server.h"

namespace hone::http::testing {

class RunningServer {
 public:
  explicit RunningServer(Router router, ServerOptions options = {});
  Server& operator*() { return *server_; }
  Server* operator->() { return server_.get(); }
  ClientOptions client_options() const;

 private:
  std::unique_ptr<Server> server_;
};

// A blocking socket with a time limit of 20 s on every call.
class RawSocket {
 public:
  explicit RawSocket(uint16_t port, int receive_buffer_bytes = 0);
  ~RawSocket();
  RawSocket(const RawSocket&) = delete;
  RawSocket& operator=(const RawSocket&) = delete;

  bool send(std::string_view bytes);  // false: the other side is gone
  // Until the text appears; what came, without it when the other side closed before.
  std::string read_until(std::string_view text);
  std::string read_all();  // until the other side closes
  bool was_reset() const { return reset_; }
  void finish_writing();
  void close();

 private:
  bool receive();
  int fd_ = -1;
  bool reset_ = false;
  std::string in_;
};

// Sends the bytes and reads until the server closes.
std::string raw_exchange(uint16_t port, std::string_view bytes);
// "200" of "HTTP/1.1 200 OK...": empty when there is none.
std::string status_of(std::string_view response);

// Waits up to 10 s for a condition that other threads bring about.
template <typename Condition>
bool eventually(const Condition& condition);
void sleep_ms(int ms);

template <typename Condition>
bool eventually(const Condition& condition) {
  for (int i = 0; i < 2000; ++i) {
    if (condition()) return true;
    sleep_ms(5);
  }
  return condition();
}

}  // namespace hone::http::testing
