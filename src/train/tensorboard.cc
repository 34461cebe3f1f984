#include "train/tensorboard.h"

#include <array>
#include <bit>

namespace hone::train {

namespace {

constexpr std::array<uint32_t, 256> kCrcTable = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ ((value & 1) != 0 ? 0x82F63B78u : 0u);
    table[i] = value;
  }
  return table;
}();

void append_fixed(std::string& out, uint64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
}

void append_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7F) | 0x80);
  out += static_cast<char>(value);
}

// Wire types of protocol buffers.
constexpr uint64_t kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5;
void append_key(std::string& out, uint64_t field, uint64_t wire_type) {
  append_varint(out, field << 3 | wire_type);
}
void append_bytes(std::string& out, uint64_t field, std::string_view bytes) {
  append_key(out, field, kBytes);
  append_varint(out, bytes.size());
  out += bytes;
}

std::string frame(std::string_view event) {
  const auto masked = [](std::string_view bytes) {
    return std::rotr(crc32c(bytes), 15) + 0xA282EAD8u;
  };
  std::string out;
  append_fixed(out, event.size(), 8);
  append_fixed(out, masked(out), 4);
  out += event;
  append_fixed(out, masked(event), 4);
  return out;
}

// transformers' TensorBoardCallback: eval_loss is eval/loss, all else stands under train/.
std::string tag_of(std::string_view key) {
  constexpr std::string_view kEval = "eval_";
  if (key.starts_with(kEval)) return "eval/" + std::string(key.substr(kEval.size()));
  return "train/" + std::string(key);
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  uint32_t crc = 0xFFFFFFFFu;
  for (const char byte : bytes) {
    crc = kCrcTable[(crc ^ static_cast<unsigned char>(byte)) & 0xFF] ^ crc >> 8;
  }
  return ~crc;
}

std::string tensorboard_header() {
  std::string event;
  append_bytes(event, 3, "brain.Event:2");
  return frame(event);
}

std::string tensorboard_event(const Json& line) {
  std::string summary;
  for (const auto& [key, value] : line.as_object()) {
    if (key == "step" || !value.is_number()) continue;
    std::string scalar;
    append_bytes(scalar, 1, tag_of(key));
    append_key(scalar, 2, kFixed32);  // simple_value
    append_fixed(scalar, std::bit_cast<uint32_t>(static_cast<float>(value.as_double())), 4);
    append_bytes(summary, 1, scalar);
  }
  const int64_t step = line.at("step").as_int();
  std::string event;
  append_key(event, 1, kFixed64);
  append_fixed(event, std::bit_cast<uint64_t>(static_cast<double>(step)), 8);
  append_key(event, 2, kVarint);
  append_varint(event, static_cast<uint64_t>(step));
  append_bytes(event, 5, summary);
  return frame(event);
}

}  // namespace hone::train
