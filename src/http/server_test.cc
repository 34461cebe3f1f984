// What every request meets: routes, heads, bodies, errors, keep-alive.
#include "http/server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <mutex>
#include <thread>

#include "http/testing.h"

namespace hone::http {
namespace {

using testing::eventually;
using testing::raw_exchange;
using testing::RawSocket;
using testing::RunningServer;
using testing::sleep_ms;

Router small_router() {
  Router router;
  router.add("GET", "/hello", {.name = "hello"},
             [](Request&) { return Response::text(200, "hello"); });
  router.add("GET", "/people/{name}", {}, [](Request& request) {
    return Response::text(200, request.path_parameters.at("name") + "|" +
                                   std::string(request.query.get("q", "none")) + "|" +
                                   std::string(request.cookies.get("session", "none")));
  });
  router.add("POST", "/echo", {.name = "echo", .max_body_bytes = 1000},
             [](Request& request) { return Response::text(200, request.body); });
  router.add("POST", "/large", {.max_body_bytes = 32 << 20},
             [](Request& request) { return Response::text(200, request.body); });
  router.add("DELETE", "/nothing", {.max_body_bytes = 0},
             [](Request&) { return Response::no_content(); });
  router.add("GET", "/fail/{code}", {}, [](Request& request) -> Response {
    const std::string& code = request.path_parameters.at("code");
    if (code == "not_found") throw not_found("no such thing; look at the list");
    if (code == "conflict") throw Error(ErrorCode::kConflict, "it changed meanwhile");
    if (code == "busy") throw Error(ErrorCode::kBusy, "come back later");
    if (code == "unknown") throw 7;
    throw std::runtime_error("a secret of the inside");
  });
  return router;
}

std::string get(std::string_view target, std::string_view more = {}) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(more) +
         "Connection: close\r\n\r\n";
}

TEST(Server, AnswersAndKeepsTheConnection) {
  RunningServer server(small_router());
  HttpClient client(server.client_options());
  for (int i = 0; i < 100; ++i) {
    const ClientResponse response = client.get("/hello");
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, "hello");
  }
  EXPECT_EQ(server->metrics().connections_total, 1u);
  // The last one is counted after its answer is out.
  EXPECT_TRUE(eventually([&] { return server->metrics().requests_by_class[2] == 100u; }));
  EXPECT_EQ(server->metrics().routes.at("hello").requests, 100u);
}

TEST(Server, SaysTheDateAndNothingAboutItself) {
  RunningServer server(small_router());
  const ClientResponse response = HttpClient(server.client_options()).get("/hello");
  EXPECT_TRUE(response.headers.get("Date").ends_with(" GMT"));
  EXPECT_FALSE(response.headers.contains("Server"));
}

TEST(Server, DecodesPathQueryAndCookies) {
  RunningServer server(small_router());
  HttpClient client(server.client_options());
  const ClientResponse response =
      client.get("/people/J%C3%BCrgen%2FX?q=a+b%26c", {{"Cookie", "x=1; session=abc"}});
  EXPECT_EQ(response.body, "Jürgen/X|a b&c|abc");
  EXPECT_EQ(client.get("/people/%FF").status, 400);
  EXPECT_EQ(client.get("/people/%zz").status, 400);
  EXPECT_EQ(client.get("/people/a?q=%C3").status, 400);
  EXPECT_EQ(client.get("/people/%00").status, 400);
}

TEST(Server, UnknownPathsAre404AndWrongMethodsNameTheRightOnes) {
  RunningServer server(small_router());
  HttpClient client(server.client_options());
  EXPECT_EQ(client.get("/nowhere").status, 404);
  const ClientResponse wrong = client.post("/hello", "{}");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.headers.get("Allow"), "GET, HEAD, OPTIONS");
  const ClientResponse options = client.request({.method = "OPTIONS", .target = "/echo"});
  EXPECT_EQ(options.status, 204);
  EXPECT_EQ(options.headers.get("Allow"), "POST, OPTIONS");
  EXPECT_EQ(client.request({.method = "OPTIONS", .target = "*"}).status, 204);
}

TEST(Server, HeadHasTheHeadOfGetAndNoBody) {
  RunningServer server(small_router());
  const std::string answer =
      raw_exchange(server->port(),
                   "HEAD /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"
                   "GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  EXPECT_NE(answer.find("Content-Length: 5\r\n\r\nHTTP/1.1 200"), std::string::npos) << answer;
}

TEST(Server, BodiesUpToTheBoundPassAndOneByteMoreIsRefusedByName) {
  RunningServer server(small_router());
  HttpClient client(server.client_options());
  EXPECT_EQ(client.post("/echo", std::string(1000, 'x')).body, std::string(1000, 'x'));
  const ClientResponse refused = client.post("/echo", std::string(1001, 'x'));
  EXPECT_EQ(refused.status, 413);
  EXPECT_NE(refused.body.find("1000 bytes"), std::string::npos) << refused.body;
  EXPECT_EQ(client.request({.method = "DELETE", .target = "/nothing"}).status, 204);
  EXPECT_EQ(client.request({.method = "DELETE", .target = "/nothing", .body = "x"}).status, 413);
}

TEST(Server, ChunkedBodiesAreJoinedAndBounded) {
  RunningServer server(small_router());
  HttpClient client(server.client_options());
  const auto upload = [&client](int pieces) {
    int left = pieces;
    return client.upload({.method = "POST", .target = "/echo"},
                         [&left]() -> std::string_view { return left-- > 0 ? "0123456789" : ""; });
  };
  EXPECT_EQ(upload(100).body.size(), 1000u);
  EXPECT_EQ(upload(101).status, 413);
  EXPECT_EQ(upload(100).status, 200);  // on a new connection
}

TEST(Server, ABodyMuchLargerThanTheBoundIsAnsweredWhileItStillComes) {
  RunningServer server(small_router());
  HttpClient client(server.client_options());
  const std::string large(8 << 20, 'x');
  EXPECT_EQ(client.post("/echo", large).status, 413);
  EXPECT_EQ(client.get("/hello").status, 200);
}

TEST(Server, LargeBodiesComeAndGoWhole) {
  RunningServer server(small_router());
  HttpClient client(server.client_options());
  std::string large(20 << 20, 'x');
  for (size_t i = 0; i < large.size(); i += 997) large[i] = static_cast<char>('a' + i % 26);
  EXPECT_EQ(client.post("/large", large).body, large);
  EXPECT_EQ(server->metrics().buffered_bytes, 0u);
}

TEST(Server, ErrorsOfHandlersBecomeStatusesAndKeepTheirSecrets) {
  RunningServer server(small_router());
  HttpClient client(server.client_options());
  const ClientResponse missing = client.get("/fail/not_found");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.body, "not_found: no such thing; look at the list\n");
  EXPECT_EQ(client.get("/fail/conflict").status, 409);
  const ClientResponse busy = client.get("/fail/busy");
  EXPECT_EQ(busy.status, 503);
  EXPECT_EQ(busy.headers.get("Retry-After"), "1");
  const ClientResponse broken = client.get("/fail/other");
  EXPECT_EQ(broken.status, 500);
  EXPECT_EQ(broken.body.find("secret"), std::string::npos);
  EXPECT_EQ(client.get("/fail/unknown").status, 500);
  EXPECT_EQ(server->metrics().connections_total, 1u);  // the connection outlives errors
}

TEST(Server, TheRendererMakesEveryErrorBody) {
  ServerOptions options;
  options.render_error = [](const ErrorInfo& error, const Request* request) {
    return Response::json(error.status, "{\"code\":\"" + error.code + "\",\"request\":" +
                                            (request == nullptr ? "false" : "true") + "}");
  };
  RunningServer server(small_router(), options);
  HttpClient client(server.client_options());
  EXPECT_EQ(client.get("/nowhere").body, R"({"code":"not_found","request":true})");
  EXPECT_EQ(client.get("/fail/conflict").body, R"({"code":"conflict","request":true})");
  const std::string broken = raw_exchange(server->port(), "nonsense\r\n\r\n");
  EXPECT_NE(broken.find(R"({"code":"invalid_input","request":false})"), std::string::npos);
}

TEST(Server, PipelinedRequestsAreAnsweredInOrder) {
  RunningServer server(small_router());
  std::string requests;
  for (int i = 0; i < 200; ++i) {
    requests += "GET /people/n" + std::to_string(i) + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
  }
  RawSocket socket(server->port());
  ASSERT_TRUE(socket.send(requests));
  for (int i = 0; i < 200; ++i) {
    const std::string body = "n" + std::to_string(i) + "|none|none";
    EXPECT_TRUE(socket.read_until("|none|none").ends_with("\r\n\r\n" + body));
  }
}

TEST(Server, AClientThatClosesItsSendingSideStillGetsItsAnswers) {
  RunningServer server(small_router());
  RawSocket socket(server->port());
  socket.send(
      "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"
      "GET /people/b HTTP/1.1\r\nHost: localhost\r\n\r\n");
  socket.finish_writing();
  const std::string answer = socket.read_all();
  EXPECT_NE(answer.find("hello"), std::string::npos);
  EXPECT_NE(answer.find("b|none|none"), std::string::npos);
}

TEST(Server, HalfARequestAndADropOfBytesAtATimeAreUnderstood) {
  RunningServer server(small_router());
  RawSocket socket(server->port());
  for (const char c : std::string("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
                                  "chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")) {
    ASSERT_TRUE(socket.send(std::string_view(&c, 1)));
    sleep_ms(1);
  }
  EXPECT_TRUE(socket.read_until("abcde").starts_with("HTTP/1.1 200"));
}

TEST(Server, Http10ClosesUnlessAskedOtherwise) {
  RunningServer server(small_router());
  const std::string once = raw_exchange(server->port(), "GET /hello HTTP/1.0\r\n\r\n");
  EXPECT_EQ(testing::status_of(once), "200");
  EXPECT_NE(once.find("Connection: close"), std::string::npos);
  RawSocket socket(server->port());
  for (int i = 0; i < 2; ++i) {
    socket.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_NE(socket.read_until("hello").find("Connection: keep-alive"), std::string::npos);
  }
}

TEST(Server, Expect100ContinueIsAnsweredBeforeTheBodyAndOtherExpectationsAreNot) {
  RunningServer server(small_router());
  RawSocket socket(server->port());
  socket.send(
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n"
      "Expect: 100-continue\r\n\r\n");
  EXPECT_EQ(socket.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  socket.send("abc");
  EXPECT_TRUE(socket.read_until("abc").starts_with("HTTP/1.1 200"));
  EXPECT_EQ(testing::status_of(
                raw_exchange(server->port(),
                             "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3000\r\n"
                             "Expect: 100-continue\r\n\r\n")),
            "413");
  EXPECT_EQ(testing::status_of(raw_exchange(server->port(), get("/hello", "Expect: miracles\r\n"))),
            "417");
}

TEST(Server, OnlyOurHostNamesAreServed) {
  ServerOptions options;
  options.allowed_hosts = {"Label.Example.org"};
  RunningServer server(small_router(), options);
  const auto status = [&](std::string_view host) {
    return testing::status_of(raw_exchange(
        server->port(),
        "GET /hello HTTP/1.1\r\nHost: " + std::string(host) + "\r\nConnection: close\r\n\r\n"));
  };
  for (const auto* ours : {"localhost", "LOCALHOST:99", "127.0.0.1", "[::1]:8080",
                           "label.example.org", "label.example.org:443"}) {
    EXPECT_EQ(status(ours), "200") << ours;
  }
  for (const auto* other : {"evil.example", "127.0.0.1.evil.example", "localhost.evil", "[::2]"}) {
    EXPECT_EQ(status(other), "421") << other;
  }
  EXPECT_EQ(testing::status_of(raw_exchange(server->port(), get("http://evil.example/hello"))),
            "421");
  EXPECT_EQ(testing::status_of(raw_exchange(server->port(), get("http://localhost/hello"))), "200");
}

TEST(Server, PagesOfOtherOriginsAreRefused) {
  ServerOptions options;
  options.allowed_origins = {"http://localhost:5173"};
  RunningServer server(small_router(), options);
  HttpClient client(server.client_options());
  const std::string ours = server->url();
  EXPECT_EQ(client.get("/hello", {{"Origin", ours}}).status, 200);
  EXPECT_EQ(client.get("/hello", {{"Origin", "http://localhost:5173"}}).status, 200);
  EXPECT_EQ(client.get("/hello", {{"Origin", "http://evil.example"}}).status, 403);
  EXPECT_EQ(client.get("/hello", {{"Origin", "null"}}).status, 403);
  EXPECT_EQ(client.get("/hello", {{"Origin", "http://127.0.0.1:1"}}).status, 403);
}

TEST(Server, TheAccessLogHasOneRecordARequest) {
  std::mutex mutex;
  std::vector<AccessRecord> records;
  ServerOptions options;
  options.access_log = [&](const AccessRecord& record) {
    const std::lock_guard lock(mutex);
    records.push_back(record);
  };
  RunningServer server(small_router(), options);
  HttpClient client(server.client_options());
  client.post("/echo?x=1", "12345");
  client.get("/fail/other");
  ASSERT_TRUE(eventually([&] {
    const std::lock_guard lock(mutex);
    return records.size() == 2;
  }));
  EXPECT_EQ(records[0].method, "POST");
  EXPECT_EQ(records[0].target, "/echo?x=1");
  EXPECT_EQ(records[0].route_name, "echo");
  EXPECT_EQ(records[0].peer_address, "127.0.0.1");
  EXPECT_EQ(records[0].status, 200);
  EXPECT_EQ(records[0].request_bytes, 5u);
  EXPECT_GT(records[0].response_bytes, 50u);
  EXPECT_EQ(records[0].outcome, "ok");
  EXPECT_NE(records[1].detail.find("a secret of the inside"), std::string::npos);
}

TEST(Server, AFullQueueSaysComeBackLater) {
  std::latch release(1);
  std::atomic<int> running{0};
  Router router;
  router.add("GET", "/wait", {}, [&](Request&) {
    running.fetch_add(1);
    release.wait();
    return Response::text(200, "done");
  });
  ServerOptions options;
  options.worker_threads = 2;
  options.max_queue = 3;
  RunningServer server(std::move(router), options);
  std::vector<std::unique_ptr<RawSocket>> sockets;
  for (int i = 0; i < 5; ++i) {
    sockets.push_back(std::make_unique<RawSocket>(server->port()));
    sockets.back()->send(get("/wait"));
  }
  ASSERT_TRUE(eventually([&] { return running == 2 && server->metrics().queue_length == 3; }));
  const std::string refused = raw_exchange(server->port(), get("/wait"));
  EXPECT_EQ(testing::status_of(refused), "503");
  EXPECT_NE(refused.find("Retry-After: 1"), std::string::npos);
  release.count_down();
  for (auto& socket : sockets) EXPECT_EQ(testing::status_of(socket->read_all()), "200");
}

TEST(Server, AHandlerSeesThatItsClientLeft) {
  std::latch started(1);
  std::atomic<bool> saw{false};
  Router router;
  router.add("GET", "/wait", {}, [&](Request& request) {
    started.count_down();
    saw = eventually([&] { return request.cancelled(); });
    return Response::text(200, "for nobody");
  });
  RunningServer server(std::move(router));
  {
    RawSocket socket(server->port());
    socket.send(get("/wait"));
    started.wait();
  }
  EXPECT_TRUE(eventually([&] { return saw.load(); }));
  EXPECT_TRUE(eventually([&] { return server->metrics().connections_open == 0; }));
}

TEST(Server, TwoHundredClientsAtOnceGetEachTheirOwnAnswer) {
  ServerOptions options;
  options.io_threads = 2;
  RunningServer server(small_router(), options);
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 200; ++t) {
    threads.emplace_back([&, t] {
      HttpClient client(server.client_options());
      for (int i = 0; i < 20; ++i) {
        const std::string name = std::to_string(t) + "x" + std::to_string(i);
        if (client.get("/people/" + name).body == name + "|none|none") right.fetch_add(1);
        if (client.post("/echo", name).body == name) right.fetch_add(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 200 * 20 * 2);
}

TEST(Server, TooManyConnectionsAreToldSo) {
  ServerOptions options;
  options.max_connections = 3;
  RunningServer server(small_router(), options);
  std::vector<std::unique_ptr<RawSocket>> sockets;
  for (int i = 0; i < 3; ++i) sockets.push_back(std::make_unique<RawSocket>(server->port()));
  ASSERT_TRUE(eventually([&] { return server->metrics().connections_open == 3; }));
  EXPECT_EQ(testing::status_of(RawSocket(server->port()).read_all()), "503");
  sockets.clear();
  ASSERT_TRUE(eventually([&] { return server->metrics().connections_open == 0; }));
  EXPECT_EQ(testing::status_of(raw_exchange(server->port(), get("/hello"))), "200");
}

TEST(Server, OptionsThatCannotBeAreRefusedWithTheNextStep) {
  const auto message = [](ServerOptions options) {
    try {
      Server server(real_env(), std::move(options), small_router());
      server.start();
    } catch (const Error& error) {
      return error.message();
    }
    return std::string("started");
  };
  EXPECT_NE(message({.address = "no such host!"}).find("127.0.0.1"), std::string::npos);
  EXPECT_NE(message({.address = "192.0.2.1"}).find("no such address"), std::string::npos);
  EXPECT_NE(message({.tls_certificate_file = "a.pem"}).find("both"), std::string::npos);
  EXPECT_NE(message({.worker_threads = 0}).find("workers"), std::string::npos);
  RunningServer first(small_router());
  EXPECT_NE(message({.port = first->port()}).find("another port"), std::string::npos);
}

}  // namespace
}  // namespace hone::http
