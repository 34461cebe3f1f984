// The parts that know no sockets: headers, targets, cookies, the table of routes, heads, the parser.
#include <gtest/gtest.h>

#include "http/message_parser.h"
#include "http/response_head.h"
#include "http/router.h"
#include "http/target.h"

namespace hone::http {
namespace {

TEST(Headers, CompareWithoutCaseAndRepeat) {
  Headers headers = {
      {"Content-Type", "text/plain"}, {"Vary", "Accept, Origin"}, {"vary", "Cookie"}};
  EXPECT_EQ(headers.get("content-TYPE"), "text/plain");
  EXPECT_EQ(headers.get("absent", "fallback"), "fallback");
  EXPECT_EQ(headers.all("VARY").size(), 2u);
  EXPECT_TRUE(headers.has_token("Vary", "cookie"));
  EXPECT_TRUE(headers.has_token("Vary", "origin"));
  EXPECT_FALSE(headers.has_token("Vary", "rigin"));
  headers.set("vary", "*");
  EXPECT_EQ(headers.all("Vary").size(), 1u);
  headers.remove("VARY");
  EXPECT_FALSE(headers.contains("Vary"));
}

TEST(Headers, NoValueCanBeginAnotherHeader) {
  Headers headers;
  headers.add("Location", "/a\tb");
  EXPECT_THROW(headers.add("Location", "/a\r\nSet-Cookie: x=y"), Error);
  EXPECT_THROW(headers.add("Location", "/a\nb"), Error);
  EXPECT_THROW(headers.add("Location", std::string_view("a\0b", 3)), Error);
  EXPECT_THROW(headers.add("Bad name", "x"), Error);
  EXPECT_THROW(headers.add("Bad:name", "x"), Error);
  EXPECT_THROW(headers.add("", "x"), Error);
  EXPECT_EQ(headers.size(), 1u);
}

TEST(Parameters, NumbersAreReadWithinTheirBounds) {
  Parameters parameters;
  parameters.add("limit", "30");
  parameters.add("large", "99999999999999999999");
  parameters.add("text", "3x");
  EXPECT_EQ(parameters.get_int("limit", 1, 1, 30), 30);
  EXPECT_EQ(parameters.get_int("absent", 7, 1, 30), 7);
  EXPECT_THROW(parameters.get_int("limit", 1, 1, 29), Error);
  EXPECT_THROW(parameters.get_int("large", 1, 1, 30), Error);
  EXPECT_THROW(parameters.get_int("text", 1, 1, 30), Error);
  EXPECT_THROW(parameters.at("absent"), Error);
}

TEST(Target, IsTakenApartAndDecoded) {
  const Target target = parse_target("/a%20b//c%2Fd/?x=1&y=%26+z&x=2&&flag").value();
  EXPECT_EQ(target.segments, (std::vector<std::string>{"a b", "", "c/d", ""}));
  EXPECT_EQ(target.raw_path, "/a%20b//c%2Fd/");
  EXPECT_EQ(target.query.all("x"), (std::vector<std::string_view>{"1", "2"}));
  EXPECT_EQ(target.query.get("y"), "& z");
  EXPECT_EQ(target.query.get("flag", "none"), "");
  EXPECT_TRUE(parse_target("/").value().segments.empty());
  EXPECT_TRUE(parse_target("/?q").value().segments.empty());
  const Target absolute = parse_target("HTTP://Example.org:81?q=1").value();
  EXPECT_EQ(absolute.authority, "Example.org:81");
  EXPECT_EQ(absolute.query.get("q"), "1");
  EXPECT_EQ(parse_target("http://h/a/b").value().segments.size(), 2u);
}

TEST(Target, WhatCouldMeanTwoThingsIsRefused) {
  for (const auto* bad : {"",         "a",       "//..",       "/.",         "/a/../b", "/%2E%2e",
                          "/%",       "/%4",     "/%4g",       "/%00",       "/%0d%0a", "/%7f",
                          "/%ff",     "/%c0%af", "/%ed%a0%80", "/?%",        "/?a=%ff", "/?a%00=1",
                          "ftp://h/", "http://", "http:///x",  "http://a b/"}) {
    EXPECT_FALSE(parse_target(bad).has_value()) << bad;
  }
  std::string deep;
  for (size_t i = 0; i < kMaxPathSegments; ++i) deep += "/a";
  EXPECT_TRUE(parse_target(deep).has_value());
  EXPECT_FALSE(parse_target(deep + "/a").has_value());
  std::string query = "/?";
  for (size_t i = 0; i < kMaxQueryParameters; ++i) query += "a&";
  EXPECT_TRUE(parse_target(query).has_value());
  EXPECT_FALSE(parse_target(query + "a").has_value());
}

TEST(Target, EncodingAndDecodingAreInverse) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  EXPECT_EQ(percent_decode(percent_encode(all)).value(), all);
  EXPECT_EQ(percent_encode("a b/ü"), "a%20b%2F%C3%BC");
  EXPECT_EQ(percent_decode("a+b").value(), "a+b");
  EXPECT_EQ(percent_decode("a+b", true).value(), "a b");
}

TEST(Target, HostsAreFoundInAuthorities) {
  EXPECT_EQ(host_of_authority("Example.ORG:80"), "example.org");
  EXPECT_EQ(host_of_authority("example.org."), "example.org");
  EXPECT_EQ(host_of_authority("[::1]:80"), "[::1]");
  EXPECT_EQ(host_of_authority("127.0.0.1"), "127.0.0.1");
  for (const auto* bad : {"", ":80", "[::1", "a:b", "a@b", "a:80:90", "a b", "a/b", "a:1234567"}) {
    EXPECT_EQ(host_of_authority(bad), "") << bad;
  }
}

TEST(Cookies, AreReadFromOneOrSeveralHeadersAndNonsenseIsLeftOut) {
  const Headers headers = {{"Cookie", "a=1; b=\"two\";c=3=3; =x; nonsense;;  d="},
                           {"cookie", "e=5"}};
  const Parameters cookies = parse_cookies(headers);
  EXPECT_EQ(cookies.size(), 5u);
  EXPECT_EQ(cookies.get("b"), "two");
  EXPECT_EQ(cookies.get("c"), "3=3");
  EXPECT_EQ(cookies.get("d", "absent"), "");
  EXPECT_EQ(cookies.get("e"), "5");
  std::string many;
  for (int i = 0; i < 100; ++i) many += "c" + std::to_string(i) + "=1;";
  EXPECT_EQ(parse_cookies({{"Cookie", many}}).size(), 64u);
}

TEST(Cookies, AreWrittenWithTheirAttributesAndRefuseWhatWouldBreakOut) {
  EXPECT_EQ(set_cookie({.name = "s", .value = "v", .max_age_seconds = 60, .secure = true}),
            "s=v; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax");
  EXPECT_THROW(set_cookie({.name = "s", .value = "v; Domain=evil"}), Error);
  EXPECT_THROW(set_cookie({.name = "a=b", .value = "v"}), Error);
  EXPECT_THROW(set_cookie({.name = "", .value = "v"}), Error);
}

Router router_of(const std::vector<std::pair<std::string, std::string>>& routes) {
  Router router;
  for (const auto& [method, pattern] : routes) {
    router.add(method, pattern, {.name = pattern}, [](Request&) { return Response(); });
  }
  return router;
}

// The pattern that a path leads to and its parameters, as "pattern a=1 b=2".
std::string found(const Router& router, std::string_view method, std::string_view path) {
  const Router::Match match = router.match(method, parse_target(path).value().segments);
  if (match.route == nullptr) return match.allow.empty() ? "404" : "405 " + match.allow;
  std::string text = match.route->pattern;
  for (const auto& [name, value] : match.path_parameters) text += " " + name + "=" + value;
  return text;
}

TEST(Router, FixedTextWinsOverParametersAndParametersOverTheRest) {
  const Router router = router_of({{"GET", "/{path...}"},
                                   {"GET", "/a/{id}"},
                                   {"GET", "/a/list"},
                                   {"GET", "/a/{id}/b/{other}"},
                                   {"GET", "/a/list/c"},
                                   {"POST", "/a/{id}"}});
  EXPECT_EQ(found(router, "GET", "/"), "/{path...} path=");
  EXPECT_EQ(found(router, "GET", "/x/y.js"), "/{path...} path=x/y.js");
  EXPECT_EQ(found(router, "GET", "/a/7"), "/a/{id} id=7");
  EXPECT_EQ(found(router, "HEAD", "/a/7"), "/a/{id} id=7");
  EXPECT_EQ(found(router, "POST", "/a/7"), "/a/{id} id=7");
  EXPECT_EQ(found(router, "GET", "/a/list"), "/a/list");
  EXPECT_EQ(found(router, "GET", "/a/list/c"), "/a/list/c");
  EXPECT_EQ(found(router, "GET", "/a/list/b/2"), "/a/{id}/b/{other} id=list other=2");
  EXPECT_EQ(found(router, "GET", "/a/list/d"), "/{path...} path=a/list/d");
  EXPECT_EQ(found(router, "DELETE", "/a/7"), "405 GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(found(router, "POST", "/a/list"), "405 GET, HEAD, OPTIONS");
  EXPECT_EQ(found(router, "GET", "/a/"), "/{path...} path=a/");
}

TEST(Router, WithoutAWildcardUnknownPathsAreNotFound) {
  const Router router = router_of({{"GET", "/"}, {"GET", "/api/v1/{id}"}, {"PUT", "/api/v1/{id}"}});
  EXPECT_EQ(found(router, "GET", "/"), "/");
  EXPECT_EQ(found(router, "GET", "/api"), "404");
  EXPECT_EQ(found(router, "GET", "/api/v1"), "404");
  EXPECT_EQ(found(router, "GET", "/api/v1/"), "404");  // an empty id is none
  EXPECT_EQ(found(router, "GET", "/api/v1/1/"), "404");
  EXPECT_EQ(found(router, "GET", "//api/v1/1"), "404");
  EXPECT_EQ(router.routes().size(), 3u);
  EXPECT_EQ(router.routes()[2]->method, "PUT");
}

TEST(RouterDeathTest, MalformedAndRepeatedPatternsAreBugs) {
  EXPECT_DEATH(router_of({{"GET", "no-slash"}}), "");
  EXPECT_DEATH(router_of({{"GET", "/a//b"}}), "");
  EXPECT_DEATH(router_of({{"GET", "/{}"}}), "");
  EXPECT_DEATH(router_of({{"GET", "/{a"}}), "");
  EXPECT_DEATH(router_of({{"GET", "/{a...}/b"}}), "");
  EXPECT_DEATH(router_of({{"GET", "/a"}, {"GET", "/a"}}), "");
}

TEST(ResponseHead, SaysLengthDateAndConnectionItself) {
  const Headers headers = {{"content-length", "7"}, {"X-A", "1"}, {"Connection", "x"}};
  EXPECT_EQ(response_head(404, headers, {.now_ms = 784'111'777'000, .content_length = 3}),
            "HTTP/1.1 404 Not Found\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nX-A: 1\r\n"
            "Content-Length: 3\r\n\r\n");
  EXPECT_NE(response_head(200, {}, {.chunked = true, .keep_alive = false})
                .find("Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"),
            std::string::npos);
  EXPECT_NE(response_head(200, {}, {.content_length = 0, .version_minor = 0})
                .find("Connection: keep-alive"),
            std::string::npos);
}

TEST(StaticFiles, AreCompressedForThoseWhoTakeItAndNotSentAgain) {
  auto file = std::make_shared<StaticFile>();
  file->bytes = "plain";
  file->gzip = "zip";
  file->content_type = "text/css";
  file->etag = "\"e1\"";
  const auto ask = [&](const Headers& headers) {
    Response response = Response::static_file(file);
    Request request;
    request.headers = headers;
    const std::string_view bytes = choose_file_form(response, request);
    return std::to_string(response.status) + " " + std::string(response.headers.get("ETag")) + " " +
           std::string(response.headers.get("Content-Encoding", "-")) + " " + std::string(bytes);
  };
  EXPECT_EQ(ask({}), "200 \"e1\" - plain");
  EXPECT_EQ(ask({{"Accept-Encoding", "br, gzip"}}), "200 \"e1-gz\" gzip zip");
  EXPECT_EQ(ask({{"Accept-Encoding", "gzip;q=0.5"}}), "200 \"e1-gz\" gzip zip");
  EXPECT_EQ(ask({{"Accept-Encoding", "gzip;q=0"}}), "200 \"e1\" - plain");
  EXPECT_EQ(ask({{"Accept-Encoding", "xgzip"}}), "200 \"e1\" - plain");
  EXPECT_EQ(ask({{"If-None-Match", "\"e1\""}}), "304 \"e1\" - ");
  EXPECT_EQ(ask({{"If-None-Match", "W/\"e1-gz\", \"z\""}, {"Accept-Encoding", "gzip"}}),
            "304 \"e1-gz\" - ");
  EXPECT_EQ(ask({{"If-None-Match", "\"e2\""}}), "200 \"e1\" - plain");
}

TEST(MessageParser, GivesTheSameHoweverTheBytesAreCut) {
  const std::string text =
      "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;ext=\"v\"\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nTrailer: t\r\n\r\nGET next";
  for (size_t cut = 1; cut <= text.size(); ++cut) {
    MessageParser parser(MessageParser::Kind::kRequest, {});
    std::string waiting;
    for (size_t i = 0; i < text.size(); i += cut) {
      waiting += text.substr(i, cut);
      size_t taken = 1;
      while (taken > 0 && !parser.done() && parser.fault() == nullptr) {
        taken = parser.feed(waiting);
        waiting.erase(0, taken);
      }
    }
    ASSERT_EQ(parser.fault(), nullptr) << cut << " " << parser.fault()->message;
    ASSERT_TRUE(parser.done()) << cut;
    EXPECT_EQ(parser.body(), "abc0123456789abcdef") << cut;
    EXPECT_EQ(waiting, "GET next") << cut;
    EXPECT_EQ(parser.head().headers.size(), 2u);
  }
}

TEST(MessageParser, ReadsResponsesOfEveryLength) {
  const auto read = [](MessageParser::Kind kind, std::string text) {
    MessageParser parser(kind, {});
    for (int i = 0; i < 10 && !parser.done() && parser.fault() == nullptr; ++i) {
      text.erase(0, parser.feed(text));
    }
    if (!parser.done()) parser.feed_end();
    return parser.fault() != nullptr ? "fault" : parser.body() + (parser.done() ? "." : "?");
  };
  using Kind = MessageParser::Kind;
  EXPECT_EQ(read(Kind::kResponse, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"), "ab.");
  EXPECT_EQ(read(Kind::kResponse, "HTTP/1.1 200 OK\r\n\r\nuntil the end"), "until the end.");
  EXPECT_EQ(read(Kind::kResponse, "HTTP/1.1 204 OK\r\n\r\n"), ".");
  EXPECT_EQ(read(Kind::kResponseToHead, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"), ".");
  EXPECT_EQ(read(Kind::kResponse, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"), "fault");
  EXPECT_EQ(read(Kind::kResponse, "HTTP/1.1 200"), "fault");
  EXPECT_EQ(read(Kind::kResponse, ""), "fault");
}

}  // namespace
}  // namespace hone::http
