#include "http/socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

namespace hone::http {

Socket::~Socket() {
  tls_.reset();
  ::close(fd_);
}

IoResult Socket::read_plain(char* out, size_t n) {
  while (true) {
    const ssize_t got = recv(fd_, out, n, 0);
    if (got > 0) return {IoStatus::kOk, static_cast<size_t>(got)};
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return {IoStatus::kWantRead, 0};
    return {IoStatus::kClosed, 0};
  }
}

IoResult Socket::read(char* out, size_t n) {
  return tls_ ? tls_->read(out, n) : read_plain(out, n);
}

IoResult Socket::discard(char* scratch, size_t n) { return read_plain(scratch, n); }

IoResult Socket::write(std::string_view first, std::string_view second) {
  if (tls_) {
    // A record for the head alone would cost the client a read of its own.
    constexpr size_t kJoinedMax = 16 * 1024;
    if (!first.empty() && !second.empty() && first.size() < kJoinedMax) {
      std::string joined(first);
      joined += second.substr(0, kJoinedMax - first.size());
      return tls_->write(joined);
    }
    return tls_->write(first.empty() ? second : first);
  }
  iovec parts[2] = {{const_cast<char*>(first.data()), first.size()},
                    {const_cast<char*>(second.data()), second.size()}};
  msghdr message{};
  message.msg_iov = first.empty() ? parts + 1 : parts;
  message.msg_iovlen = first.empty() || second.empty() ? 1 : 2;
  while (true) {
    const ssize_t sent = sendmsg(fd_, &message, MSG_NOSIGNAL);
    if (sent >= 0) return {IoStatus::kOk, static_cast<size_t>(sent)};
    if (errno == EINTR) continue;
    if (errno == EAGAIN) return {IoStatus::kWantWrite, 0};
    return {IoStatus::kClosed, 0};
  }
}

bool Socket::wait(IoStatus status, int timeout_ms) const {
  pollfd poll_fd{fd_, static_cast<short>(status == IoStatus::kWantRead ? POLLIN : POLLOUT), 0};
  const int ready = poll(&poll_fd, 1, timeout_ms);
  return ready > 0 || (ready < 0 && errno == EINTR);
}

bool Socket::peer_closed() const {
  pollfd poll_fd{fd_, POLLRDHUP, 0};
  return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

void Socket::finish_writing() {
  if (tls_) tls_->close_notify();
  shutdown(fd_, SHUT_WR);
}

void Socket::interrupt() const { shutdown(fd_, SHUT_RDWR); }

}  // namespace hone::http
