#include "http/server.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/check.h"
#include "http/connection.h"
#include "http/target.h"

namespace hone::http {
namespace {

constexpr int kBacklog = 4096;
constexpr int kAcceptsAtOnce = 256;

std::string address_text(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address.ss_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text, sizeof(text));
  } else if (address.ss_family == AF_INET6) {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, text,
              sizeof(text));
  }
  return text;
}

Error cannot_listen(const ServerOptions& options, int reason) {
  std::string message = "cannot listen on " + options.address + " port " +
                        std::to_string(options.port) + ": " + std::strerror(reason);
  if (reason == EADDRINUSE) message += "; stop what listens there or choose another port";
  if (reason == EACCES) message += "; ports below 1024 need a right of their own";
  if (reason == EADDRNOTAVAIL) message += "; this machine has no such address";
  return {ErrorCode::kUnavailable, std::move(message)};
}

// A listening socket for the first address that the name has.
int open_listener(const ServerOptions& options) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(options.port);
  if (getaddrinfo(options.address.c_str(), port.c_str(), &hints, &found) != 0) {
    throw invalid_input("'" + options.address +
                        "' is no address to listen on; give one of this machine, as 127.0.0.1");
  }
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int reason = fd < 0 ? errno : 0;
  const int on = 1;
  if (fd >= 0) {
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, kBacklog) != 0) {
      reason = errno;
      ::close(fd);
    }
  }
  freeaddrinfo(found);
  if (reason != 0) throw cannot_listen(options, reason);
  return fd;
}

uint16_t port_of(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                   : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

void check_options(const ServerOptions& options) {
  if (options.tls_certificate_file.empty() != options.tls_key_file.empty()) {
    throw invalid_input("TLS needs a certificate and its key; give both files or none");
  }
  const bool counts = options.io_threads >= 1 && options.io_threads <= 64 &&
                      options.worker_threads >= 1 && options.worker_threads <= 1024 &&
                      options.max_stream_threads >= 1 && options.max_stream_threads <= 1024 &&
                      options.max_connections >= 1;
  if (!counts) {
    throw invalid_input(
        "a server needs 1 to 64 I/O threads, 1 to 1024 workers and stream threads, "
        "and at least one connection");
  }
  if (options.max_head_bytes < 256 || options.max_head_bytes > 60 * 1024) {
    throw invalid_input("the bound on heads must be from 256 to 61440 bytes");
  }
  const bool times = options.head_timeout_ms > 0 && options.body_timeout_ms > 0 &&
                     options.idle_timeout_ms > 0 && options.write_timeout_ms > 0;
  if (!times) throw invalid_input("the server's time limits must be above 0 ms");
}

}  // namespace

class Server::Impl final : public EventLoop::Listener {
 public:
  Impl(Env& env, ServerOptions options, Router router) {
    check_options(options);
    core_ = std::make_shared<ServerCore>(env, std::move(options), std::move(router));
  }
  ~Impl() override { stop(0); }

  void start();
  size_t stop(int deadline_ms);
  void on_events(uint32_t epoll_events) override;
  ServerMetrics metrics() const;
  std::string url() const;

  std::shared_ptr<ServerCore> core_;  // shared with connections
  uint16_t port_ = 0;

 private:
  void name_hosts();
  bool accept_one();
  void take(int fd, const sockaddr_storage& peer);
  void adopt(IoThread& io, int fd, std::string peer);
  void wait_for_connections(int deadline_ms);
  void stop_loops();

  int listener_ = -1;
  bool started_ = false;
  bool stopped_ = false;
  size_t next_io_ = 0;  // touched by the first loop's thread
};

void Server::Impl::name_hosts() {
  const ServerOptions& options = core_->options;
  std::vector<std::string>& hosts = core_->hosts;
  const bool is_ipv6 = options.address.find(':') != std::string::npos;
  hosts.push_back(host_of_authority(is_ipv6 ? "[" + options.address + "]" : options.address));
  if (options.address.starts_with("127.") || options.address == "::1" ||
      options.address == "localhost") {
    hosts.insert(hosts.end(), {"localhost", "127.0.0.1", "[::1]"});
  }
  for (const std::string& host : options.allowed_hosts) {
    if (host == "*") core_->any_host = true;
    hosts.push_back(host_of_authority(host));
  }
  std::erase(hosts, std::string());
}

void Server::Impl::start() {
  HONE_CHECK(!started_);
  const ServerOptions& options = core_->options;
  if (!options.tls_certificate_file.empty()) {
    core_->tls = TlsContext::for_server(options.tls_certificate_file, options.tls_key_file);
  }
  name_hosts();
  listener_ = open_listener(options);
  port_ = port_of(listener_);
  for (size_t i = 0; i < options.io_threads; ++i) {
    core_->io.push_back(std::make_unique<IoThread>());
  }
  core_->io[0]->loop.add(listener_, this, false);
  started_ = true;
  for (auto& io : core_->io) {
    io->thread = std::thread([core = core_.get(), &thread = *io] {
      thread.loop.run([core, &thread] {
        const int64_t now_us = core->now_us();
        for (auto next = thread.connections.begin(); next != thread.connections.end();) {
          (next++)->second->tick(now_us);  // may take itself out
        }
      });
    });
  }
}

void Server::Impl::on_events(uint32_t) {
  for (int i = 0; i < kAcceptsAtOnce && accept_one(); ++i) {
  }
}

bool Server::Impl::accept_one() {
  sockaddr_storage peer{};
  socklen_t length = sizeof(peer);
  const int fd =
      accept4(listener_, reinterpret_cast<sockaddr*>(&peer), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) {
    take(fd, peer);
    return true;
  }
  if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
    // Out of descriptors: the pending connection would wake us for ever. Breathe, then look again.
    core_->counters.connections_refused.fetch_add(1);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return false;
  }
  return errno == EINTR || errno == ECONNABORTED;
}

void Server::Impl::take(int fd, const sockaddr_storage& peer) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (core_->counters.connections_open.load() >= core_->options.max_connections) {
    core_->counters.connections_refused.fetch_add(1);
    constexpr std::string_view kFull =
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n"
        "Connection: close\r\n\r\n";
    if (core_->tls == nullptr) send(fd, kFull.data(), kFull.size(), MSG_NOSIGNAL);
    ::close(fd);
    return;
  }
  IoThread& io = *core_->io[next_io_++ % core_->io.size()];
  std::string address = address_text(peer);
  if (&io == core_->io[0].get()) {
    adopt(io, fd, std::move(address));
  } else {
    io.loop.post([this, &io, fd, address = std::move(address)] { adopt(io, fd, address); });
  }
}

void Server::Impl::adopt(IoThread& io, int fd, std::string peer) {
  auto connection = std::make_shared<Connection>(core_, io, fd, std::move(peer));
  io.connections.emplace(connection.get(), connection);
  if (!connection->start()) connection->cut();
}

void Server::Impl::wait_for_connections(int deadline_ms) {
  std::unique_lock lock(core_->closed_mutex);
  core_->closed.wait_for(lock, std::chrono::milliseconds(std::max(deadline_ms, 0)),
                         [this] { return core_->counters.connections_open.load() == 0; });
}

size_t Server::Impl::stop(int deadline_ms) {
  if (!started_ || stopped_) return 0;
  stopped_ = true;
  core_->stopping.store(true);
  core_->io[0]->loop.post([this] {
    core_->io[0]->loop.remove(listener_);
    ::close(listener_);
  });
  const auto each = [this](void (Connection::*act)()) {
    for (auto& io : core_->io) {
      io->loop.post([&thread = *io, act] {
        for (auto next = thread.connections.begin(); next != thread.connections.end();) {
          ((next++)->second.get()->*act)();
        }
      });
    }
  };
  each(&Connection::begin_stop);
  wait_for_connections(deadline_ms);
  const size_t cut = core_->counters.connections_open.load();
  if (cut > 0) each(&Connection::cut);
  core_->workers.stop();
  core_->streams.stop();
  {
    const std::unique_lock gate(core_->late_gate);
    core_->finished = true;
  }
  stop_loops();
  return cut;
}

void Server::Impl::stop_loops() {
  for (auto& io : core_->io) io->loop.stop();
  for (auto& io : core_->io) io->thread.join();
  for (auto& io : core_->io) io->connections.clear();
}

ServerMetrics Server::Impl::metrics() const {
  const Counters& from = core_->counters;
  ServerMetrics to;
  to.connections_open = from.connections_open.load();
  to.connections_total = from.connections_total.load();
  to.connections_refused = from.connections_refused.load();
  for (size_t i = 0; i < 6; ++i) to.requests_by_class[i] = from.requests_by_class[i].load();
  to.bytes_received = from.bytes_received.load();
  to.bytes_sent = from.bytes_sent.load();
  to.queue_length = core_->workers.queued();
  to.workers_busy = core_->workers.busy();
  to.streams_open = from.streams_open.load();
  to.buffered_bytes = from.buffered_bytes.load();
  for (const auto& [route, counted] : core_->routes) {
    RouteMetrics& metrics = to.routes[route->options.name];
    metrics.requests += counted->requests.load();
    metrics.sum_us += counted->sum_us.load();
    for (size_t i = 0; i < kLatencyBuckets; ++i) metrics.buckets[i] += counted->buckets[i].load();
  }
  return to;
}

std::string Server::Impl::url() const {
  const ServerOptions& options = core_->options;
  const bool is_ipv6 = options.address.find(':') != std::string::npos;
  return (core_->tls == nullptr ? "http://" : "https://") +
         (is_ipv6 ? "[" + options.address + "]" : options.address) + ":" + std::to_string(port_);
}

Server::Server(Env& env, ServerOptions options, Router router)
    : impl_(std::make_unique<Impl>(env, std::move(options), std::move(router))) {}
Server::~Server() = default;

void Server::start() { impl_->start(); }
uint16_t Server::port() const { return impl_->port_; }
std::string Server::url() const { return impl_->url(); }
size_t Server::stop(int deadline_ms) { return impl_->stop(deadline_ms); }
ServerMetrics Server::metrics() const { return impl_->metrics(); }
const Router& Server::router() const { return impl_->core_->router; }

}  // namespace hone::http
