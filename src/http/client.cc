#include "http/client.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "http/message_parser.h"
#include "http/response_head.h"
#include "http/socket.h"

namespace hone::http {
namespace {

Error unavailable(std::string message) { return {ErrorCode::kUnavailable, std::move(message)}; }

bool is_idempotent(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE" ||
         method == "OPTIONS";
}

std::string authority(const ClientOptions& options) {
  const bool is_ipv6 = options.host.find(':') != std::string::npos;
  return (is_ipv6 ? "[" + options.host + "]" : options.host) + ":" + std::to_string(options.port);
}

// Connected, or -1 with errno.
int connect_to(const addrinfo& address, int timeout_ms) {
  const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  int reason = 0;
  if (connect(fd, address.ai_addr, address.ai_addrlen) != 0) {
    reason = errno;
    pollfd ready{fd, POLLOUT, 0};
    if (reason == EINPROGRESS) {
      socklen_t length = sizeof(reason);
      reason = ETIMEDOUT;
      if (poll(&ready, 1, timeout_ms) > 0) getsockopt(fd, SOL_SOCKET, SO_ERROR, &reason, &length);
    }
  }
  if (reason != 0) {
    ::close(fd);
    errno = reason;
    return -1;
  }
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return fd;
}

}  // namespace

class HttpClient::Impl {
 public:
  explicit Impl(ClientOptions options) : options_(std::move(options)), buffer_(64 * 1024) {
    if (options_.tls) tls_ = TlsContext::for_client(options_.tls_ca_file, options_.tls_verify);
  }

  using OnHead = std::function<bool(const ClientResponse&)>;
  using OnBytes = std::function<bool(std::string_view)>;
  using NextPiece = std::function<std::string_view()>;

  ClientResponse perform(const ClientRequest& request, const NextPiece& next, const OnHead& on_head,
                         const OnBytes& on_bytes);
  void close() {
    socket_.reset();
    in_.clear();
  }

 private:
  // The connection ended before a byte of the answer.
  struct Dead {};

  void open();
  void handshake();
  void send(std::string_view bytes);
  void send_request(const ClientRequest& request, const NextPiece& next);
  bool receive();  // false at the end of the stream
  ClientResponse read_response(const ClientRequest& request, const OnHead& on_head,
                               const OnBytes& on_bytes);
  std::unique_ptr<MessageParser> read_head(bool to_head);
  bool deliver(MessageParser& parser, ClientResponse& response, const OnBytes& on_bytes);
  void check(const MessageParser& parser);

  const ClientOptions options_;
  std::shared_ptr<TlsContext> tls_;  // shared with the session
  std::vector<char> buffer_;
  std::unique_ptr<Socket> socket_;
  std::string in_;
};

void HttpClient::Impl::open() {
  close();
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(options_.port);
  if (getaddrinfo(options_.host.c_str(), port.c_str(), &hints, &found) != 0) {
    throw unavailable("the host name '" + options_.host + "' is not known; check the address");
  }
  int fd = -1;
  for (const addrinfo* next = found; next != nullptr && fd < 0; next = next->ai_next) {
    fd = connect_to(*next, options_.connect_timeout_ms);
  }
  const int reason = errno;
  freeaddrinfo(found);
  if (fd < 0) {
    throw unavailable("cannot connect to " + authority(options_) + ": " + std::strerror(reason) +
                      "; is the server running?");
  }
  socket_ = std::make_unique<Socket>(fd);
  if (tls_ != nullptr) handshake();
}

void HttpClient::Impl::handshake() {
  socket_->use_tls(std::make_unique<TlsSession>(tls_, socket_->fd(), options_.host));
  while (true) {
    const IoStatus status = socket_->handshake();
    if (status == IoStatus::kOk) return;
    if (status == IoStatus::kClosed || !socket_->wait(status, options_.connect_timeout_ms)) {
      const std::string reason =
          status == IoStatus::kClosed ? socket_->handshake_failure() : "it takes too long";
      close();
      throw unavailable("no TLS connection to " + authority(options_) + ": " + reason);
    }
  }
}

void HttpClient::Impl::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const IoResult sent = socket_->write(bytes);
    if (sent.status == IoStatus::kOk) {
      bytes.remove_prefix(sent.bytes);
    } else if (sent.status == IoStatus::kClosed) {
      throw Dead{};
    } else if (!socket_->wait(sent.status, options_.timeout_ms)) {
      throw unavailable(authority(options_) + " takes no more of the request");
    }
  }
}

void HttpClient::Impl::send_request(const ClientRequest& request, const NextPiece& next) {
  std::string head = request.method + " " + request.target + " HTTP/1.1\r\n";
  if (!request.headers.contains("Host")) head += "Host: " + authority(options_) + "\r\n";
  for (const auto& [name, value] : request.headers) head += name + ": " + value + "\r\n";
  if (next) {
    head += "Transfer-Encoding: chunked\r\n";
  } else if (!request.body.empty() || request.method == "POST" || request.method == "PUT" ||
             request.method == "PATCH") {
    head += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  }
  head += "\r\n";
  if (!next) {
    constexpr size_t kJoined = 16 * 1024;  // one packet instead of two
    if (request.body.size() <= kJoined) {
      send(head.append(request.body));
    } else {
      send(head);
      send(request.body);
    }
    return;
  }
  send(head);
  for (std::string_view piece = next(); !piece.empty(); piece = next()) {
    std::string chunk;
    append_chunk(chunk, piece);
    send(chunk);
  }
  send(kLastChunk);
}

bool HttpClient::Impl::receive() {
  while (true) {
    const IoResult got = socket_->read(buffer_.data(), buffer_.size());
    if (got.status == IoStatus::kOk) {
      in_.append(buffer_.data(), got.bytes);
      return true;
    }
    if (got.status == IoStatus::kClosed) return false;
    if (!socket_->wait(got.status, options_.timeout_ms)) {
      throw unavailable(authority(options_) + " did not answer for " +
                        std::to_string(options_.timeout_ms) + " ms");
    }
  }
}

void HttpClient::Impl::check(const MessageParser& parser) {
  if (parser.fault() != nullptr) {
    throw corrupt_data("the answer of " + authority(options_) +
                       " is broken or was cut short: " + parser.fault()->message);
  }
}

// Heads of 1xx are passed over, a bounded number of them.
std::unique_ptr<MessageParser> HttpClient::Impl::read_head(bool to_head) {
  const HeadLimits limits{options_.max_head_bytes, 1000, options_.max_head_bytes};
  const auto kind = to_head ? MessageParser::Kind::kResponseToHead : MessageParser::Kind::kResponse;
  for (int informational = 0; informational < 10; ++informational) {
    auto parser = std::make_unique<MessageParser>(kind, limits);
    while (!parser->head_done()) {
      if (!in_.empty()) in_.erase(0, parser->feed(in_));
      check(*parser);
      if (parser->head_done()) break;
      const bool nothing_yet = in_.empty() && informational == 0;
      if (!receive()) {
        if (nothing_yet) throw Dead{};
        parser->feed_end();
        check(*parser);
      }
    }
    if (parser->head().status >= 200) return parser;
  }
  throw corrupt_data(authority(options_) + " sent ten interim answers and no final one");
}

bool HttpClient::Impl::deliver(MessageParser& parser, ClientResponse& response,
                               const OnBytes& on_bytes) {
  std::string& bytes = parser.body();
  if (bytes.empty()) return true;
  if (!on_bytes && response.body.size() + bytes.size() > options_.max_body_bytes) {
    throw Error(ErrorCode::kTooLarge, "the answer of " + authority(options_) + " is larger than " +
                                          std::to_string(options_.max_body_bytes) + " bytes");
  }
  const bool more = on_bytes ? on_bytes(bytes) : true;
  if (!on_bytes) response.body += bytes;
  bytes.clear();
  return more;
}

ClientResponse HttpClient::Impl::read_response(const ClientRequest& request, const OnHead& on_head,
                                               const OnBytes& on_bytes) {
  const auto parser = read_head(request.method == "HEAD");
  ClientResponse response;
  response.status = parser->head().status;
  response.headers = parser->head().headers;
  bool more = !on_head || on_head(response);
  bool ended = false;
  while (more && !parser->done()) {
    if (!in_.empty()) in_.erase(0, parser->feed(in_));
    check(*parser);
    more = deliver(*parser, response, on_bytes);
    if (parser->done() || !more) break;
    if (!receive()) {
      ended = true;
      parser->feed_end();
      check(*parser);
    }
  }
  if (!more || ended || !parser->head().keep_alive) close();
  return response;
}

ClientResponse HttpClient::Impl::perform(const ClientRequest& request, const NextPiece& next,
                                         const OnHead& on_head, const OnBytes& on_bytes) {
  const bool kept = socket_ != nullptr && !socket_->peer_closed();
  if (!kept) open();
  // A kept connection may die under our hands; a fresh one that does is the server's answer.
  for (bool may_repeat = kept && !next && is_idempotent(request.method);; may_repeat = false) {
    try {
      bool sent = true;
      try {
        send_request(request, next);
      } catch (const Dead&) {
        // The server may have answered (413) and closed before it took all: look for that.
        sent = false;
      }
      if (!sent && may_repeat) throw Dead{};
      return read_response(request, on_head, on_bytes);
    } catch (const Dead&) {
      close();
      if (!may_repeat) {
        throw unavailable(authority(options_) + " closed the connection without an answer");
      }
      open();
    } catch (...) {
      close();
      throw;
    }
  }
}

HttpClient::HttpClient(ClientOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
HttpClient::~HttpClient() = default;

ClientResponse HttpClient::request(const ClientRequest& request) {
  return impl_->perform(request, nullptr, nullptr, nullptr);
}

ClientResponse HttpClient::get(std::string_view target, const Headers& headers) {
  ClientRequest request;
  request.target = std::string(target);
  request.headers = headers;
  return this->request(request);
}

ClientResponse HttpClient::post(std::string_view target, std::string_view body,
                                std::string_view content_type) {
  ClientRequest request;
  request.method = "POST";
  request.target = std::string(target);
  request.headers.add("Content-Type", content_type);
  request.body = body;
  return this->request(request);
}

ClientResponse HttpClient::put(std::string_view target, std::string_view body,
                               std::string_view content_type) {
  ClientRequest request;
  request.method = "PUT";
  request.target = std::string(target);
  request.headers.add("Content-Type", content_type);
  request.body = body;
  return this->request(request);
}

ClientResponse HttpClient::stream(const ClientRequest& request,
                                  const std::function<bool(const ClientResponse&)>& on_head,
                                  const std::function<bool(std::string_view)>& on_bytes) {
  return impl_->perform(
      request, nullptr, on_head, on_bytes ? on_bytes : [](std::string_view) { return true; });
}

ClientResponse HttpClient::upload(const ClientRequest& request,
                                  const std::function<std::string_view()>& next) {
  return impl_->perform(request, next, nullptr, nullptr);
}

void HttpClient::close() { impl_->close(); }

}  // namespace hone::http
