#include "http/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include "base/check.h"
#include "base/error.h"

namespace hone::http {
namespace {

SSL_CTX* ctx(void* context) { return static_cast<SSL_CTX*>(context); }
SSL* ssl(void* session) { return static_cast<SSL*>(session); }

// A file that cannot be opened has the system's reason, since OpenSSL's says nothing about it.
std::string reason_of_openssl() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (ERR_SYSTEM_ERROR(code)) return std::strerror(static_cast<int>(ERR_GET_REASON(code)));
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "unknown reason" : reason;
}

// OpenSSL's own socket BIO calls write(2), which raises SIGPIPE when the other side is gone; a
// library may not ask the whole program to ignore a signal.
int bio_write(BIO* bio, const char* data, int n) {
  BIO_clear_retry_flags(bio);
  const int fd = static_cast<int>(reinterpret_cast<intptr_t>(BIO_get_data(bio)));
  const ssize_t sent = send(fd, data, static_cast<size_t>(n), MSG_NOSIGNAL);
  if (sent < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

int bio_read(BIO* bio, char* out, int n) {
  BIO_clear_retry_flags(bio);
  const int fd = static_cast<int>(reinterpret_cast<intptr_t>(BIO_get_data(bio)));
  const ssize_t got = recv(fd, out, static_cast<size_t>(n), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  return static_cast<int>(got);
}

long bio_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

// One table of functions for all sessions, made once and never changed.
BIO_METHOD* socket_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "hone socket");
    HONE_CHECK(made != nullptr);
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_ctrl(made, bio_control);
    return made;
  }();
  return method;
}

// Nothing but HTTP/1.1 is spoken; a client that offers only others gets no protocol.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_length,
                    const unsigned char* offered, unsigned offered_length, void*) {
  static constexpr unsigned char kHttp11[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_length, kHttp11, sizeof(kHttp11), offered,
                            offered_length) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

void* new_session(SSL_CTX* context, int fd) {
  SSL* session = SSL_new(context);
  BIO* bio = BIO_new(socket_method());
  if (session == nullptr || bio == nullptr) {
    throw Error(ErrorCode::kUnavailable, "no memory for another TLS connection");
  }
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<intptr_t>(fd)));
  BIO_set_init(bio, 1);
  SSL_set_bio(session, bio, bio);
  return session;
}

SSL_CTX* new_context(const SSL_METHOD* method) {
  SSL_CTX* context = SSL_CTX_new(method);
  if (context == nullptr)
    throw Error(ErrorCode::kInternal, "TLS cannot start", reason_of_openssl());
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // Idle connections give their record buffers back (34 KiB each).
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return context;
}

}  // namespace

std::shared_ptr<TlsContext> TlsContext::for_server(const std::string& certificate_file,
                                                   const std::string& key_file) {
  std::shared_ptr<TlsContext> made(new TlsContext());
  made->context_ = new_context(TLS_server_method());
  SSL_CTX* context = ctx(made->context_);
  if (SSL_CTX_use_certificate_chain_file(context, certificate_file.c_str()) != 1) {
    throw invalid_input("the TLS certificate " + certificate_file +
                        " cannot be used: " + reason_of_openssl() + "; give a PEM file");
  }
  if (SSL_CTX_use_PrivateKey_file(context, key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context) != 1) {
    throw invalid_input("the TLS key " + key_file + " cannot be used: " + reason_of_openssl() +
                        "; give the PEM file of the certificate's own key");
  }
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  return made;
}

std::shared_ptr<TlsContext> TlsContext::for_client(const std::string& ca_file, bool verify) {
  std::shared_ptr<TlsContext> made(new TlsContext());
  made->context_ = new_context(TLS_client_method());
  made->verify_ = verify;
  SSL_CTX* context = ctx(made->context_);
  if (!verify) return made;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  const int loaded = ca_file.empty()
                         ? SSL_CTX_set_default_verify_paths(context)
                         : SSL_CTX_load_verify_locations(context, ca_file.c_str(), nullptr);
  if (loaded != 1) {
    throw invalid_input("the TLS authorities " + ca_file +
                        " cannot be read: " + reason_of_openssl() + "; give a PEM file");
  }
  return made;
}

TlsContext::~TlsContext() {
  if (context_ != nullptr) SSL_CTX_free(ctx(context_));
}

TlsSession::TlsSession(std::shared_ptr<TlsContext> context, int fd)
    : context_(std::move(context)), session_(new_session(ctx(context_->context_), fd)), fd_(fd) {
  SSL_set_accept_state(ssl(session_));
}

TlsSession::TlsSession(std::shared_ptr<TlsContext> context, int fd, const std::string& host)
    : context_(std::move(context)), session_(new_session(ctx(context_->context_), fd)), fd_(fd) {
  SSL_set_connect_state(ssl(session_));
  if (!context_->verify_) return;
  X509_VERIFY_PARAM* parameters = SSL_get0_param(ssl(session_));
  if (X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str()) != 1) {  // no address: a name
    SSL_set1_host(ssl(session_), host.c_str());
    SSL_set_tlsext_host_name(ssl(session_), host.c_str());
  }
}

TlsSession::~TlsSession() {
  SSL_free(ssl(session_));
  ERR_clear_error();
}

IoResult TlsSession::outcome(int result) {
  if (result > 0) return {IoStatus::kOk, static_cast<size_t>(result)};
  switch (SSL_get_error(ssl(session_), result)) {
    case SSL_ERROR_WANT_READ: return {IoStatus::kWantRead, 0};
    case SSL_ERROR_WANT_WRITE: return {IoStatus::kWantWrite, 0};
    default: return {IoStatus::kClosed, 0};
  }
}

IoStatus TlsSession::handshake() {
  ERR_clear_error();
  const IoStatus status = outcome(SSL_do_handshake(ssl(session_))).status;
  if (status == IoStatus::kClosed) {
    const long verdict = SSL_get_verify_result(ssl(session_));
    failure_ = verdict != X509_V_OK ? X509_verify_cert_error_string(verdict) : reason_of_openssl();
  }
  return status;
}

IoResult TlsSession::read(char* out, size_t n) {
  ERR_clear_error();
  return outcome(SSL_read(ssl(session_), out, static_cast<int>(std::min<size_t>(n, INT_MAX))));
}

IoResult TlsSession::write(std::string_view bytes) {
  if (bytes.empty()) return {};
  ERR_clear_error();
  return outcome(SSL_write(ssl(session_), bytes.data(),
                           static_cast<int>(std::min<size_t>(bytes.size(), INT_MAX))));
}

void TlsSession::close_notify() {
  ERR_clear_error();
  SSL_shutdown(ssl(session_));
  ERR_clear_error();
}

std::string TlsSession::failure() const { return failure_; }

}  // namespace hone::http
