#pragma once
// TLS 1.2 and later over a socket that does not block: OpenSSL, included by tls.cc alone.

#include <memory>
#include <string>
#include <string_view>

namespace hone::http {

enum class IoStatus {
  kOk,
  kWantRead,   // nothing now; try again when the socket is readable
  kWantWrite,  // ... writable
  kClosed,     // the other side has ended, or the connection is broken
};
struct IoResult {
  IoStatus status = IoStatus::kOk;
  size_t bytes = 0;
};

// Certificates and rules; shared by many sessions, any thread.
class TlsContext {
 public:
  // Throws invalid_input with OpenSSL's reason when a file cannot be used.
  static std::shared_ptr<TlsContext> for_server(const std::string& certificate_file,
                                                const std::string& key_file);
  static std::shared_ptr<TlsContext> for_client(const std::string& ca_file, bool verify);
  ~TlsContext();

 private:
  friend class TlsSession;
  TlsContext() = default;
  void* context_ = nullptr;  // SSL_CTX
  bool verify_ = false;
};

// One connection; one thread at a time. The socket stays the caller's.
class TlsSession {
 public:
  TlsSession(std::shared_ptr<TlsContext> context, int fd);                           // server's end
  TlsSession(std::shared_ptr<TlsContext> context, int fd, const std::string& host);  // client's end
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  IoStatus handshake();
  IoResult read(char* out, size_t n);
  IoResult write(std::string_view bytes);
  void close_notify();          // says goodbye if that does not block
  std::string failure() const;  // of the last handshake

 private:
  IoResult outcome(int result);
  std::shared_ptr<TlsContext> context_;  // shared by all sessions
  void* session_ = nullptr;              // SSL
  int fd_;
  std::string failure_;
};

}  // namespace hone::http
