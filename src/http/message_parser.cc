#include "http/message_parser.h"

#include <boost/beast/http/basic_parser.hpp>

namespace hone::http {

// Fills Headers with fields that the parser has checked already.
class HeadersFromWire {
 public:
  static void add(Headers& headers, std::string_view name, std::string_view value) {
    headers.fields_.emplace_back(name, value);
  }
};

namespace {

namespace beast = boost::beast;
using beast::http::error;

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

MessageFault malformed(std::string message) {
  return {400, "invalid_input", "the request is not valid HTTP: " + std::move(message)};
}

MessageFault head_too_large(const HeadLimits& limits) {
  return {431, "headers_too_large",
          "the request's headers are larger than " + std::to_string(limits.max_head_bytes) +
              " bytes or more than " + std::to_string(limits.max_headers) + "; send fewer"};
}

// Where a proxy in front could see another body than we do, nobody guesses.
std::optional<MessageFault> framing_fault(const MessageHead& head) {
  const auto lengths = head.headers.all("Content-Length");
  const auto encodings = head.headers.all("Transfer-Encoding");
  if (lengths.size() > 1 || (lengths.size() == 1 && lengths[0].find_first_not_of("0123456789") !=
                                                        std::string_view::npos)) {
    return malformed("Content-Length must be one number");
  }
  if (encodings.empty()) return std::nullopt;
  if (!lengths.empty()) {
    return malformed("Content-Length and Transfer-Encoding may not stand together");
  }
  if (head.version_minor == 0) return malformed("HTTP/1.0 knows no Transfer-Encoding");
  if (encodings.size() > 1 || !equals_ignoring_case(encodings[0], "chunked")) {
    return MessageFault{501, "not_implemented",
                        "the only Transfer-Encoding that is understood is 'chunked'"};
  }
  return std::nullopt;
}

std::optional<MessageFault> request_fault(const MessageHead& head) {
  const size_t hosts = head.headers.all("Host").size();
  if (hosts > 1 || (hosts == 0 && head.version_minor >= 1)) {
    return malformed("there must be one Host header");
  }
  return framing_fault(head);
}

}  // namespace

// What does not depend on the kind of message.
class MessageParser::Impl {
 public:
  explicit Impl(const HeadLimits& limits) : limits_(limits) {}
  virtual ~Impl() = default;
  virtual size_t feed(std::string_view bytes) = 0;
  virtual void feed_end() = 0;

  const HeadLimits limits_;
  MessageHead head_;
  std::string body_;
  uint64_t body_bytes_ = 0;
  size_t head_bytes_ = 0;
  size_t fields_ = 0;
  bool head_done_ = false;
  bool done_ = false;
  std::optional<MessageFault> fault_;
};

template <bool is_request>
class MessageParser::ImplOf : public MessageParser::Impl,
                              private beast::http::basic_parser<is_request> {
  using Base = beast::http::basic_parser<is_request>;

 public:
  ImplOf(const HeadLimits& limits, bool no_body) : Impl(limits) {
    Base::body_limit(boost::none);  // ours, by route
    Base::header_limit(static_cast<uint32_t>(limits.max_head_bytes));
    if (no_body) Base::skip(true);
  }

  size_t feed(std::string_view bytes) override {
    if (fault_ || done_) return 0;
    if (bytes.empty()) return 0;
    beast::error_code failure;
    Base::eager(head_done_);
    const size_t taken = Base::put(boost::asio::const_buffer(bytes.data(), bytes.size()), failure);
    if (failure && failure != error::need_more && !fault_) fault_ = fault_of(failure);
    if (!fault_ && failure == error::need_more && bytes.size() - taken > limits_.max_head_bytes) {
      fault_ = head_done_ ? malformed("a line of the chunked body is too long")
                          : head_too_large(limits_);
    }
    if (!fault_ && !head_done_ && Base::is_header_done()) finish_head();
    if (!fault_ && Base::is_done()) done_ = true;
    return taken;
  }

  void feed_end() override {
    if (fault_ || done_) return;
    beast::error_code failure;
    if (Base::got_some()) Base::put_eof(failure);
    if (!Base::got_some() || failure) {
      fault_ = malformed("it ends in the middle");
    } else {
      done_ = true;
    }
  }

 private:
  void finish_head() {
    head_done_ = true;
    head_.chunked = Base::chunked();
    if (const auto length = Base::content_length()) head_.content_length = *length;
    head_.keep_alive = Base::keep_alive();
    if (is_request) fault_ = request_fault(head_);
  }

  MessageFault fault_of(const beast::error_code& failure) const {
    if (failure == error::header_limit) return head_too_large(limits_);
    if (failure == error::bad_version) {
      return {505, "version_not_supported", "only HTTP/1.0 and HTTP/1.1 are understood here"};
    }
    return malformed(failure.message());
  }

  // Counts, as Beast's own limit holds for one call and not for a head that comes in drops.
  void count(size_t bytes, beast::error_code& failure) {
    head_bytes_ += bytes;
    if (head_bytes_ > limits_.max_head_bytes) failure = error::header_limit;
  }

  void on_request_impl(beast::http::verb, beast::string_view method, beast::string_view target,
                       int version, beast::error_code& failure) override {
    if (target.size() > limits_.max_target_bytes) {
      fault_ = MessageFault{
          414, "target_too_long",
          "the address is longer than " + std::to_string(limits_.max_target_bytes) + " bytes"};
      failure = error::bad_target;
      return;
    }
    head_.method = std::string(view(method));
    head_.target = std::string(view(target));
    head_.version_minor = version % 10;
    count(method.size() + target.size() + 12, failure);
    if (method.size() > 32) failure = error::bad_method;
  }

  void on_response_impl(int code, beast::string_view reason, int version,
                        beast::error_code& failure) override {
    head_.status = code;
    head_.version_minor = version % 10;
    count(reason.size() + 15, failure);
  }

  void on_field_impl(beast::http::field, beast::string_view name, beast::string_view value,
                     beast::error_code& failure) override {
    count(name.size() + value.size() + 4, failure);
    if (++fields_ > limits_.max_headers) failure = error::header_limit;
    // Fields behind a chunked body are counted and dropped: nothing may change a head that was
    // already acted on.
    if (!failure && !head_done_) HeadersFromWire::add(head_.headers, view(name), view(value));
  }

  void on_header_impl(beast::error_code&) override {}
  void on_body_init_impl(const boost::optional<uint64_t>&, beast::error_code&) override {}
  size_t on_body_impl(beast::string_view bytes, beast::error_code&) override {
    body_.append(bytes.data(), bytes.size());
    body_bytes_ += bytes.size();
    return bytes.size();
  }
  void on_chunk_header_impl(uint64_t, beast::string_view, beast::error_code&) override {}
  size_t on_chunk_body_impl(uint64_t, beast::string_view bytes,
                            beast::error_code& failure) override {
    return on_body_impl(bytes, failure);
  }
  void on_finish_impl(beast::error_code&) override {}
};

MessageParser::MessageParser(Kind kind, const HeadLimits& limits) {
  if (kind == Kind::kRequest) {
    impl_ = std::make_unique<ImplOf<true>>(limits, false);
  } else {
    impl_ = std::make_unique<ImplOf<false>>(limits, kind == Kind::kResponseToHead);
  }
}
MessageParser::~MessageParser() = default;

size_t MessageParser::feed(std::string_view bytes) { return impl_->feed(bytes); }
void MessageParser::feed_end() { impl_->feed_end(); }
bool MessageParser::head_done() const { return impl_->head_done_; }
bool MessageParser::done() const { return impl_->done_; }
const MessageFault* MessageParser::fault() const {
  return impl_->fault_ ? &*impl_->fault_ : nullptr;
}
MessageHead& MessageParser::head() { return impl_->head_; }
std::string& MessageParser::body() { return impl_->body_; }
uint64_t MessageParser::body_bytes() const { return impl_->body_bytes_; }

}  // namespace hone::http
