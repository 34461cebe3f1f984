#include "http/testing.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "base/check.h"

namespace hone::http::testing {

RunningServer::RunningServer(Router router, ServerOptions options)
    : server_(std::make_unique<Server>(real_env(), std::move(options), std::move(router))) {
  server_->start();
}

ClientOptions RunningServer::client_options() const {
  ClientOptions options;
  options.port = server_->port();
  return options;
}

RawSocket::RawSocket(uint16_t port, int receive_buffer_bytes) {
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  HONE_CHECK(fd_ >= 0);
  if (receive_buffer_bytes > 0) {
    setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof(receive_buffer_bytes));
  }
  const timeval limit{20, 0};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  HONE_CHECK(connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
}

RawSocket::~RawSocket() { close(); }

void RawSocket::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

bool RawSocket::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

bool RawSocket::receive() {
  char buffer[16 * 1024];
  const ssize_t got = recv(fd_, buffer, sizeof(buffer), 0);
  if (got > 0) in_.append(buffer, static_cast<size_t>(got));
  if (got < 0 && errno == ECONNRESET) reset_ = true;
  return got > 0;
}

std::string RawSocket::read_until(std::string_view text) {
  size_t found = in_.find(text);
  while (found == std::string::npos && receive()) found = in_.find(text);
  const size_t end = found == std::string::npos ? in_.size() : found + text.size();
  std::string out = in_.substr(0, end);
  in_.erase(0, end);
  return out;
}

std::string RawSocket::read_all() {
  while (receive()) {
  }
  return std::move(in_);
}

void RawSocket::finish_writing() { shutdown(fd_, SHUT_WR); }

std::string raw_exchange(uint16_t port, std::string_view bytes) {
  RawSocket socket(port);
  socket.send(bytes);
  return socket.read_all();
}

std::string status_of(std::string_view response) {
  return response.starts_with("HTTP/1.1 ") ? std::string(response.substr(9, 3)) : std::string();
}

void sleep_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

}  // namespace hone::http::testing
