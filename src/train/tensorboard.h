#pragma once
// TensorBoard's event files: TFRecord frames around Event messages in protocol buffers' encoding
// (tensorflow/core/lib/io/record_writer.h; tensorflow/core/util/event.proto;
// docs/formats/tensorboard.md).
//
//   frame    u64 length, u32 masked CRC-32C of it, bytes, u32 masked CRC-32C of them; little endian
//   masked   rotate right by 15 bits, plus 0xa282ead8
//
// An event file is a function of metrics.jsonl alone: wall_time is the step in seconds, not a
// clock's, so that equal runs have equal files.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"

namespace hone::train {

// CRC-32C (Castagnoli), RFC 3720.
uint32_t crc32c(std::string_view bytes);

// The frame that every file begins with: file_version "brain.Event:2".
std::string tensorboard_header();

// The frame of one line of metrics.jsonl. Tags are transformers': train/loss, eval/loss,
// train/rewards/chosen; every number of the line but `step` is a scalar.
std::string tensorboard_event(const Json& line);

}  // namespace hone::train
