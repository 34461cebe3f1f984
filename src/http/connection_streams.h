#pragma once
// A request's body as it comes, and a response's body as it is made: both block the thread that
// holds the connection's lease, so that a slow side slows the other and nothing piles up.

#include <string>

#include "http/connection.h"

namespace hone::http {

class ConnectionBody final : public BodyReader {
 public:
  explicit ConnectionBody(Connection& connection) : connection_(connection) {}
  std::string_view read() override;
  uint64_t bytes_read() const override { return bytes_read_; }

 private:
  [[noreturn]] void fail(ErrorCode code, int status, std::string message);
  void parse();
  void receive();
  Connection& connection_;
  std::string buffer_;
  std::string piece_;
  uint64_t bytes_read_ = 0;
};

class ConnectionWriter final : public StreamWriter {
 public:
  explicit ConnectionWriter(Connection& connection);
  bool write(std::string_view bytes) override;
  bool flush() override;
  bool gone() const override;
  // The end of the body; false when the client did not get all of it.
  bool finish();
  bool timed_out() const { return timed_out_; }

 private:
  void frame();
  bool send(std::string_view bytes);
  Connection& connection_;
  std::string ready_;     // framed
  std::string gathered_;  // not yet
  bool failed_ = false;
  bool timed_out_ = false;
};

}  // namespace hone::http
