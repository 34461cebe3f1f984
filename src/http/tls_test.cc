// TLS with a certificate that the test signs itself, and a client that looks at it.
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <thread>

#include "http/testing.h"

namespace hone::http {
namespace {

using testing::eventually;
using testing::RawSocket;
using testing::RunningServer;

// Key and certificate for 127.0.0.1 and localhost in a folder of its own.
class Identity {
 public:
  Identity() {
    folder_ = ::testing::TempDir() + "hone_tls_XXXXXX";
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME* name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("hone test"), -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_EXTENSION* names =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost");
    X509_add_ext(certificate, names, -1);
    X509_EXTENSION_free(names);
    X509_sign(certificate, key, EVP_sha256());
    std::FILE* file = std::fopen(key_file().c_str(), "w");
    PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
    file = std::fopen(certificate_file().c_str(), "w");
    PEM_write_X509(file, certificate);
    std::fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  ~Identity() { real_env().remove_all(folder_); }
  std::string key_file() const { return folder_ + "/key.pem"; }
  std::string certificate_file() const { return folder_ + "/certificate.pem"; }
  ServerOptions options() const {
    ServerOptions options;
    options.tls_certificate_file = certificate_file();
    options.tls_key_file = key_file();
    return options;
  }

 private:
  std::string folder_;
};

Router echo_router() {
  Router router;
  router.add("GET", "/", {}, [](Request& request) {
    return Response::text(200, request.tls ? "secret" : "plain");
  });
  router.add("POST", "/", {.max_body_bytes = 64 << 20},
             [](Request& request) { return Response::text(200, request.body); });
  router.add("POST", "/count", {.streaming = true, .max_body_bytes = 64 << 20},
             [](Request& request) {
               while (!request.body_reader().read().empty()) {
               }
               const uint64_t bytes = request.body_reader().bytes_read();
               return Response::streamed("text/plain", [bytes](StreamWriter& out) {
                 for (int i = 0; i < 1000; ++i) out.write(std::to_string(bytes) + "\n");
               });
             });
  return router;
}

TEST(Tls, EverythingThatGoesPlainGoesEncrypted) {
  const Identity identity;
  RunningServer server(echo_router(), identity.options());
  EXPECT_TRUE(server->url().starts_with("https://"));
  ClientOptions options = server.client_options();
  options.tls = true;
  options.tls_ca_file = identity.certificate_file();
  HttpClient client(options);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(client.get("/").body, "secret");
  std::string large(10 << 20, 'x');
  for (size_t i = 0; i < large.size(); i += 101) large[i] = static_cast<char>('a' + i % 26);
  EXPECT_EQ(client.post("/", large).body, large);
  const ClientResponse counted = client.post("/count", large);
  EXPECT_EQ(counted.body.size(), 9000u);
  EXPECT_TRUE(counted.body.starts_with("10485760\n"));
  EXPECT_EQ(server->metrics().connections_total, 1u);
  options.host = "localhost";
  EXPECT_EQ(HttpClient(options).get("/").body, "secret");
}

TEST(Tls, AClientRefusesACertificateThatItDoesNotTrustUnlessTold) {
  const Identity identity;
  const Identity other;
  RunningServer server(echo_router(), identity.options());
  ClientOptions options = server.client_options();
  options.tls = true;
  options.tls_ca_file = other.certificate_file();
  EXPECT_THROW(HttpClient(options).get("/"), Error);
  options.tls_verify = false;
  EXPECT_EQ(HttpClient(options).get("/").body, "secret");
}

TEST(Tls, APlainClientAndNonsenseAreClosedAndOthersServed) {
  const Identity identity;
  RunningServer server(echo_router(), identity.options());
  RawSocket plain(server->port());
  plain.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(plain.read_all().find("HTTP/1.1 2"), std::string::npos);
  ClientOptions options = server.client_options();
  options.tls = true;
  options.tls_verify = false;
  EXPECT_EQ(HttpClient(options).get("/").body, "secret");
  EXPECT_TRUE(eventually([&] { return server->metrics().connections_open == 0; }));
}

TEST(Tls, ManyClientsAtOnce) {
  const Identity identity;
  ServerOptions server_options = identity.options();
  server_options.io_threads = 2;
  RunningServer server(echo_router(), server_options);
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 20; ++t) {
    threads.emplace_back([&, t] {
      ClientOptions options = server.client_options();
      options.tls = true;
      options.tls_verify = false;
      HttpClient client(options);
      const std::string body(static_cast<size_t>(t) * 5000 + 1, 'x');
      for (int i = 0; i < 10; ++i) {
        if (client.post("/", body).body == body) right.fetch_add(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 200);
}

TEST(Tls, OldVersionsAreRefused) {
  const Identity identity;
  RunningServer server(echo_router(), identity.options());
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  for (const int version : {TLS1_1_VERSION, TLS1_2_VERSION}) {
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context, version);
    BIO* bio = BIO_new_ssl_connect(context);
    BIO_set_conn_hostname(bio, ("127.0.0.1:" + std::to_string(server->port())).c_str());
    const bool connected = BIO_do_connect(bio) == 1 && BIO_do_handshake(bio) == 1;
    EXPECT_EQ(connected, version == TLS1_2_VERSION);
    BIO_free_all(bio);
  }
  SSL_CTX_free(context);
}

TEST(Tls, FilesThatCannotBeUsedAreNamed) {
  const Identity identity;
  const Identity other;
  ServerOptions options = identity.options();
  options.tls_key_file = other.key_file();
  Server mixed(real_env(), options, echo_router());
  EXPECT_THROW(mixed.start(), Error);
  options.tls_certificate_file = identity.key_file();
  Server wrong(real_env(), options, echo_router());
  try {
    wrong.start();
    FAIL() << "a key was taken for a certificate";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
    EXPECT_NE(error.message().find(options.tls_certificate_file), std::string::npos);
  }
}

}  // namespace
}  // namespace hone::http
