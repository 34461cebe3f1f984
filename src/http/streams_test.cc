// Bodies read as they come, responses made as they go, events, and answers that come later.
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

constexpr uint64_t kUploadBound = 64 << 20;

Router upload_router() {
  Router router;
  router.add("POST", "/count", {.name = "count", .streaming = true, .max_body_bytes = kUploadBound},
             [](Request& request) {
               uint64_t sum = 0;
               uint64_t largest = 0;
               BodyReader& body = request.body_reader();
               for (auto piece = body.read(); !piece.empty(); piece = body.read()) {
                 sum += piece.size();
                 largest = std::max<uint64_t>(largest, piece.size());
               }
               return Response::text(200, std::to_string(sum) + (largest > 64 * 1024 ? "!" : ""));
             });
  router.add("POST", "/ignore", {.streaming = true, .max_body_bytes = kUploadBound},
             [](Request&) { return Response::text(401, "who are you?"); });
  return router;
}

std::string post_head(std::string_view target, std::string_view more) {
  return "POST " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(more) +
         "\r\n";
}

TEST(BodyReader, ReadsBodiesLargerThanAnyBuffer) {
  RunningServer server(upload_router());
  HttpClient client(server.client_options());
  EXPECT_EQ(client.post("/count", std::string(40 << 20, 'x')).body, std::to_string(40 << 20));
  int left = 1000;
  const std::string piece(10'007, 'y');
  EXPECT_EQ(
      client
          .upload({.method = "POST", .target = "/count"},
                  [&]() -> std::string_view { return left-- > 0 ? std::string_view(piece) : ""; })
          .body,
      "10007000");
  EXPECT_EQ(client.post("/count", "").body, "0");
  EXPECT_EQ(server->metrics().connections_total, 1u);
}

TEST(BodyReader, RefusesAByteMoreThanTheBoundAlsoWhenChunked) {
  RunningServer server(upload_router());
  HttpClient client(server.client_options());
  EXPECT_EQ(
      testing::status_of(raw_exchange(
          server->port(),
          post_head("/count", "Content-Length: " + std::to_string(kUploadBound + 1) + "\r\n"))),
      "413");
  uint64_t left = kUploadBound / 65536 + 1;
  const std::string piece(65536, 'y');
  const ClientResponse refused = client.upload(
      {.method = "POST", .target = "/count"},
      [&]() -> std::string_view { return left-- > 0 ? std::string_view(piece) : ""; });
  EXPECT_EQ(refused.status, 413);
  EXPECT_NE(refused.body.find(std::to_string(kUploadBound)), std::string::npos);
}

TEST(BodyReader, AHandlerThatReadsNothingStillAnswersAndTheConnectionGoesOnAfterASmallBody) {
  RunningServer server(upload_router());
  HttpClient client(server.client_options());
  EXPECT_EQ(client.post("/ignore", "small").body, "who are you?");
  EXPECT_EQ(client.post("/count", "abc").body, "3");
  EXPECT_EQ(client.post("/ignore", std::string(8 << 20, 'x')).body, "who are you?");
  EXPECT_EQ(client.post("/count", "abc").body, "3");
}

TEST(BodyReader, SaysWhenTheClientLeftHalfWay) {
  std::mutex mutex;
  std::string message;
  Router router;
  router.add("POST", "/up", {.streaming = true, .max_body_bytes = 1000}, [&](Request& request) {
    try {
      while (!request.body_reader().read().empty()) {
      }
    } catch (const Error& error) {
      const std::lock_guard lock(mutex);
      message = error.message();
      throw;
    }
    return Response::text(200, "whole");
  });
  RunningServer server(std::move(router));
  {
    RawSocket socket(server->port());
    socket.send(post_head("/up", "Content-Length: 100\r\n") + "only this");
  }
  EXPECT_TRUE(eventually([&] {
    const std::lock_guard lock(mutex);
    return message == "the client left before the end of the body";
  }));
}

TEST(BodyReader, ASlowSenderIsToldThatItIsTooSlow) {
  ServerOptions options;
  options.body_timeout_ms = 100;
  RunningServer server(upload_router(), options);
  RawSocket socket(server->port());
  socket.send(post_head("/count", "Content-Length: 100\r\n") + "begin");
  EXPECT_EQ(testing::status_of(socket.read_all()), "408");
}

TEST(BodyReader, BrokenFramingIsRefused) {
  RunningServer server(upload_router());
  EXPECT_EQ(testing::status_of(raw_exchange(
                server->port(),
                post_head("/count", "Transfer-Encoding: chunked\r\n") + "3\r\nabcX\r\n0\r\n\r\n")),
            "400");
}

TEST(BodyReader, ASlowHandlerSlowsTheSender) {
  std::latch go(1);
  Router router;
  router.add("POST", "/up", {.streaming = true, .max_body_bytes = 1 << 30}, [&](Request& request) {
    go.wait();
    while (!request.body_reader().read().empty()) {
    }
    return Response::text(200, std::to_string(request.body_reader().bytes_read()));
  });
  RunningServer server(std::move(router));
  std::atomic<uint64_t> sent{0};
  std::thread sender([&] {
    HttpClient client(server.client_options());
    const std::string piece(64 * 1024, 'x');
    int left = 2000;  // 125 MiB, far more than the sockets' buffers
    EXPECT_EQ(client
                  .upload({.method = "POST", .target = "/up"},
                          [&]() -> std::string_view {
                            sent.fetch_add(piece.size());
                            return left-- > 0 ? std::string_view(piece) : "";
                          })
                  .body,
              std::to_string(2000 * piece.size()));
  });
  uint64_t before = 0;
  EXPECT_TRUE(eventually([&] {  // the sender comes to a stand
    const uint64_t now = sent.load();
    const bool stands = now == before && now > 0;
    before = now;
    if (!stands) sleep_ms(100);
    return stands;
  }));
  EXPECT_LT(sent.load(), 64u << 20);
  go.count_down();
  sender.join();
}

TEST(StreamWriter, SendsWhatAHandlerMakesAsItGoes) {
  Router router;
  router.add("GET", "/rows", {}, [](Request&) {
    return Response::streamed("application/x-ndjson", [](StreamWriter& out) {
      for (int i = 0; i < 100'000; ++i) {
        if (!out.write("{\"row\":" + std::to_string(i) + "}\n")) return;
      }
    });
  });
  RunningServer server(std::move(router));
  HttpClient client(server.client_options());
  for (int round = 0; round < 2; ++round) {
    const ClientResponse response = client.get("/rows");
    EXPECT_EQ(response.headers.get("Content-Type"), "application/x-ndjson");
    EXPECT_EQ(response.headers.get("Transfer-Encoding"), "chunked");
    EXPECT_EQ(response.body.size(), 1'388'890u);
    EXPECT_TRUE(response.body.ends_with("{\"row\":99999}\n"));
  }
  EXPECT_EQ(server->metrics().connections_total, 1u);
  const ClientResponse head = client.request({.method = "HEAD", .target = "/rows"});
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, "");
  const std::string old = raw_exchange(server->port(), "GET /rows HTTP/1.0\r\n\r\n");
  EXPECT_EQ(old.find("chunked"), std::string::npos);
  EXPECT_TRUE(old.ends_with("{\"row\":99999}\n"));
}

TEST(StreamWriter, FlushSendsAtOnce) {
  std::latch go(1);
  Router router;
  router.add("GET", "/slow", {}, [&](Request&) {
    return Response::streamed("text/plain", [&](StreamWriter& out) {
      out.write("first");
      out.flush();
      go.wait();
      out.write("second");
    });
  });
  RunningServer server(std::move(router));
  RawSocket socket(server->port());
  socket.send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(socket.read_until("first\r\n").ends_with("\r\n\r\n5\r\nfirst\r\n"));
  go.count_down();
  EXPECT_EQ(socket.read_until("0\r\n\r\n"), "6\r\nsecond\r\n0\r\n\r\n");
}

TEST(StreamWriter, AStreamThatThrowsIsCutSoThatNobodyTakesThePartForTheWhole) {
  std::mutex mutex;
  std::string outcome;
  ServerOptions options;
  options.access_log = [&](const AccessRecord& record) {
    const std::lock_guard lock(mutex);
    outcome = std::string(record.outcome) + ": " + record.detail;
  };
  Router router;
  router.add("GET", "/broken", {}, [](Request&) {
    return Response::streamed("text/plain", [](StreamWriter& out) {
      out.write("part");
      out.flush();
      throw Error(ErrorCode::kUnavailable, "the disk is gone");
    });
  });
  RunningServer server(std::move(router), options);
  HttpClient client(server.client_options());
  EXPECT_THROW(client.get("/broken"), Error);
  RawSocket old(server->port());
  old.send("GET /broken HTTP/1.0\r\n\r\n");
  old.read_all();
  EXPECT_TRUE(old.was_reset());
  const std::lock_guard lock(mutex);
  EXPECT_EQ(outcome, "aborted: the disk is gone");
}

TEST(StreamWriter, StopsForAClientThatLeftOrStoppedReading) {
  std::atomic<int> ended{0};
  Router router;
  router.add("GET", "/endless", {}, [&](Request&) {
    return Response::streamed("text/plain", [&](StreamWriter& out) {
      const std::string block(10'000, 'x');
      while (out.write(block)) {
      }
      ended.fetch_add(1);
    });
  });
  ServerOptions options;
  options.write_timeout_ms = 200;
  RunningServer server(std::move(router), options);
  RawSocket stopped(server->port(), 4096);  // open to the end, never read
  stopped.send("GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n");
  {
    RawSocket left(server->port());
    left.send("GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n");
    left.read_until("xxxx");
  }
  EXPECT_TRUE(eventually([&] { return ended == 2; }));
  EXPECT_TRUE(eventually([&] { return server->metrics().streams_open == 0; }));
}

TEST(StreamWriter, MoreStreamsThanThreadsWaitAndMoreThanThatAreRefused) {
  std::latch go(1);
  Router router;
  router.add("GET", "/wait", {}, [&](Request&) {
    return Response::streamed("text/plain", [&](StreamWriter& out) {
      go.wait();
      out.write("done");
    });
  });
  ServerOptions options;
  options.max_stream_threads = 1;  // and two more may wait
  RunningServer server(std::move(router), options);
  std::vector<std::unique_ptr<RawSocket>> sockets;
  for (uint64_t i = 0; i < 3; ++i) {
    sockets.push_back(std::make_unique<RawSocket>(server->port()));
    sockets.back()->send("GET /wait HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    ASSERT_TRUE(eventually([&] { return server->metrics().streams_open == i + 1; }));
  }
  EXPECT_EQ(
      testing::status_of(raw_exchange(
          server->port(), "GET /wait HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")),
      "503");
  go.count_down();
  for (auto& socket : sockets) {
    EXPECT_NE(socket->read_all().find("4\r\ndone\r\n0\r\n\r\n"), std::string::npos);
  }
}

// Handlers of event streams hand their stream to the test.
struct EventServer {
  explicit EventServer(EventStreamOptions stream_options = {}, ServerOptions options = {}) {
    Router router;
    router.add("GET", "/events", {}, [this, stream_options](Request&) {
      auto stream = std::make_shared<EventStream>(stream_options);
      stream->send_data("hello");
      const std::lock_guard lock(mutex);
      streams.push_back(stream);
      return Response::event_stream(stream);
    });
    server = std::make_unique<RunningServer>(std::move(router), std::move(options));
  }
  std::shared_ptr<EventStream> stream(size_t i) {
    EXPECT_TRUE(eventually([&] {
      const std::lock_guard lock(mutex);
      return streams.size() > i;
    }));
    const std::lock_guard lock(mutex);
    return streams[i];
  }
  std::mutex mutex;
  std::vector<std::shared_ptr<EventStream>> streams;
  std::unique_ptr<RunningServer> server;
};

constexpr std::string_view kGetEvents = "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n";

TEST(EventStream, DeliversWhatAnyThreadPushesAndThenTheConnectionGoesOn) {
  EventServer events;
  RawSocket socket((*events.server)->port());
  for (size_t round = 0; round < 2; ++round) {
    socket.send(kGetEvents);
    EXPECT_TRUE(socket.read_until("\r\n\r\n").find("text/event-stream") != std::string::npos);
    EXPECT_EQ(socket.read_until("\n\n\r\n"), "d\r\ndata: hello\n\n\r\n");
    const auto stream = events.stream(round);
    EXPECT_TRUE(stream->send("token", "two\nlines", "7"));
    EXPECT_EQ(socket.read_until("\n\n\r\n"),
              "2a\r\nevent: token\nid: 7\ndata: two\ndata: lines\n\n\r\n");
    stream->close();
    EXPECT_EQ(socket.read_until("0\r\n\r\n"), "0\r\n\r\n");
    EXPECT_FALSE(stream->send_data("too late"));
  }
  EXPECT_EQ((*events.server)->metrics().connections_total, 1u);
  EXPECT_TRUE(eventually([&] { return (*events.server)->metrics().streams_open == 0; }));
}

TEST(EventStream, NoWorkerWaitsForIt) {
  ServerOptions options;
  options.worker_threads = 1;
  EventServer events({}, options);
  std::vector<std::unique_ptr<RawSocket>> sockets;
  for (int i = 0; i < 50; ++i) {
    sockets.push_back(std::make_unique<RawSocket>((*events.server)->port()));
    sockets.back()->send(kGetEvents);
    EXPECT_NE(sockets.back()->read_until("hello").find("hello"), std::string::npos);
  }
  EXPECT_EQ((*events.server)->metrics().streams_open, 50u);
  for (size_t i = 0; i < 50; ++i) events.stream(i)->send_data("n" + std::to_string(i));
  for (size_t i = 0; i < 50; ++i) {
    EXPECT_TRUE(sockets[i]->read_until("data: n" + std::to_string(i) + "\n").size() > 8);
  }
}

TEST(EventStream, AClientThatStopsReadingIsDroppedAndItsProducerTold) {
  EventServer events({.max_queued_bytes = 100'000});
  RawSocket socket((*events.server)->port(), 4096);
  socket.send(kGetEvents);
  const auto stream = events.stream(0);
  std::atomic<int> told{0};
  stream->on_drop([&] { told.fetch_add(1); });
  const std::string event(10'000, 'x');
  size_t pushed = 0;
  while (stream->send_data(event) && pushed < (200u << 20)) pushed += event.size();
  EXPECT_LT(pushed, 200u << 20);
  EXPECT_FALSE(stream->open());
  EXPECT_TRUE(eventually([&] { return told == 1; }));
  EXPECT_TRUE(eventually([&] { return (*events.server)->metrics().connections_open == 0; }));
  EXPECT_EQ(stream->queued_bytes(), 0u);
}

TEST(EventStream, AClientThatLeavesIsNoticedWithoutAPush) {
  EventServer events;
  std::atomic<int> told{0};
  {
    RawSocket socket((*events.server)->port());
    socket.send(kGetEvents);
    socket.read_until("hello");
    events.stream(0)->on_drop([&] { told.fetch_add(1); });
  }
  EXPECT_TRUE(eventually([&] { return told == 1; }));
  EXPECT_FALSE(events.stream(0)->send_data("x"));
  int late = 0;
  events.stream(0)->on_drop([&] { ++late; });
  EXPECT_EQ(late, 1);  // at once
}

TEST(EventStream, AStopWaitsForTheStreamThatHasAnEndOfItsOwn) {
  for (const bool outlives_stop : {false, true}) {
    EventServer events({.outlives_stop = outlives_stop});
    RawSocket socket((*events.server)->port());
    socket.send(kGetEvents);
    socket.read_until("hello");
    std::thread stopper([&] { (*events.server)->stop(5'000); });
    const auto stream = events.stream(0);
    if (outlives_stop) {
      sleep_ms(50);
      EXPECT_TRUE(stream->send_data("the rest"));
      stream->close();
      EXPECT_NE(socket.read_all().find("data: the rest\n\n\r\n0\r\n\r\n"), std::string::npos);
    } else {
      EXPECT_TRUE(eventually([&] { return !stream->open(); }));
    }
    stopper.join();
  }
}

TEST(EventStream, KeepsAQuietConnectionAlive) {
  EventServer events({.keep_alive_ms = 50});
  RawSocket socket((*events.server)->port());
  socket.send(kGetEvents);
  EXPECT_NE(socket.read_until(": keep-alive\n\n").find(": keep-alive"), std::string::npos);
  EXPECT_NE(socket.read_until(": keep-alive\n\n").find(": keep-alive"), std::string::npos);
}

TEST(EventStream, NoTextBreaksOutOfItsField) {
  EventServer events;
  RawSocket socket((*events.server)->port());
  socket.send(kGetEvents);
  socket.read_until("hello\n\n\r\n");
  events.stream(0)->send("a\ndata: forged", "x\r\ry", "1\r2");
  EXPECT_EQ(socket.read_until("\n\n\r\n").substr(4),
            "event: a data: forged\nid: 1 2\ndata: x\ndata: \ndata: y\n\n\r\n");
}

// Handlers hand their LaterResponse to the test.
struct LaterServer {
  LaterServer() {
    Router router;
    router.add("POST", "/later", {}, [this](Request& request) {
      auto later = std::make_shared<LaterResponse>();
      if (request.body == "now") later->complete(Response::text(200, "at once"));
      const std::lock_guard lock(mutex);
      waiting.push_back(later);
      clients.push_back(request.client);
      return Response::completed_later(later);
    });
    ServerOptions options;
    options.worker_threads = 1;
    server = std::make_unique<RunningServer>(std::move(router), std::move(options));
  }
  size_t size() {
    const std::lock_guard lock(mutex);
    return waiting.size();
  }
  std::mutex mutex;
  std::vector<std::shared_ptr<LaterResponse>> waiting;
  std::vector<std::shared_ptr<Client>> clients;
  std::unique_ptr<RunningServer> server;
};

TEST(LaterResponse, ManyWaitWithOneWorkerAndEachGetsItsOwn) {
  LaterServer later;
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 40; ++i) {
    threads.emplace_back([&] {
      HttpClient client(later.server->client_options());
      if (client.post("/later", "x").body == "came later") right.fetch_add(1);
      if (client.post("/later", "now").body == "at once") right.fetch_add(1);
    });
  }
  ASSERT_TRUE(eventually([&] { return later.size() == 40; }));
  {
    const std::lock_guard lock(later.mutex);
    for (auto& waiting : later.waiting) waiting->complete(Response::text(200, "came later"));
    later.waiting[0]->complete(Response::text(200, "a second time"));
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 80);
}

TEST(LaterResponse, GivenUpWithoutAnAnswerIsA500) {
  LaterServer later;
  RawSocket socket((*later.server)->port());
  socket.send(post_head("/later", "Content-Length: 1\r\n") + "x");
  ASSERT_TRUE(eventually([&] { return later.size() == 1; }));
  sleep_ms(20);  // so that the handler has returned, which is the harder case
  {
    const std::lock_guard lock(later.mutex);
    later.waiting.clear();
  }
  EXPECT_EQ(testing::status_of(socket.read_until("\r\n\r\n")), "500");
}

TEST(LaterResponse, WhoeverAnswersIsToldOnceThatTheClientLeft) {
  LaterServer later;
  std::atomic<int> first{0}, second{0};
  {
    RawSocket socket((*later.server)->port());
    socket.send(post_head("/later", "Content-Length: 1\r\n") + "x");
    ASSERT_TRUE(eventually([&] { return later.size() == 1; }));
    later.clients[0]->on_gone([&] { first.fetch_add(1); });
    later.clients[0]->on_gone([&] { second.fetch_add(1); });  // takes the first one's place
  }
  EXPECT_TRUE(eventually([&] { return second == 1; }));
  EXPECT_EQ(first, 0);
}

TEST(LaterResponse, ItsWorkerLearnsThatTheClientLeftAndMayAnswerAfterTheServerIsGone) {
  LaterServer later;
  {
    RawSocket socket((*later.server)->port());
    socket.send(post_head("/later", "Content-Length: 1\r\n") + "x");
    ASSERT_TRUE(eventually([&] { return later.size() == 1; }));
  }
  EXPECT_TRUE(eventually([&] { return later.clients[0]->gone(); }));
  int told = 0;
  later.clients[0]->on_gone([&] { ++told; });
  EXPECT_EQ(told, 1);  // at once: it had happened
  later.server.reset();
  later.waiting[0]->complete(Response::text(200, "for nobody"));
}

}  // namespace
}  // namespace hone::http
