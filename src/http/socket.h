#pragma once
// A connected TCP socket that does not block, plain or with TLS. Owned by one holder at a time;
// only interrupt() may come from another thread.

#include <memory>
#include <string>
#include <string_view>

#include "http/tls.h"

namespace hone::http {

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  void use_tls(std::unique_ptr<TlsSession> session) { tls_ = std::move(session); }
  bool tls() const { return tls_ != nullptr; }
  int fd() const { return fd_; }

  IoStatus handshake() { return tls_ ? tls_->handshake() : IoStatus::kOk; }
  std::string handshake_failure() const { return tls_ ? tls_->failure() : std::string(); }
  IoResult read(char* out, size_t n);
  // Sends from `first`, then from `second`, as one piece where possible.
  IoResult write(std::string_view first, std::string_view second = {});
  // Reads what is there and drops it, TLS or not.
  IoResult discard(char* scratch, size_t n);

  // Waits until the socket is ready for what `status` wants. False: the time is over.
  bool wait(IoStatus status, int timeout_ms) const;
  // Whether the other side has closed its end, as far as the kernel knows.
  bool peer_closed() const;
  void finish_writing();   // TLS goodbye and FIN
  void interrupt() const;  // every read and write fails from now on

 private:
  IoResult read_plain(char* out, size_t n);
  const int fd_;
  std::unique_ptr<TlsSession> tls_;
};

}  // namespace hone::http
