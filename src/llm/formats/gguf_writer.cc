#include <cstring>

#include "base/check.h"
#include "base/error.h"
#include "llm/formats/gguf.h"
#include "tensor/quantize.h"

namespace hone::llm {
namespace {

using tensor::DataType;

constexpr uint64_t kAlignment = 32;

template <typename T>
void put(std::string& out, T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}

void put_type(std::string& out, GgufType type) { put(out, static_cast<uint32_t>(type)); }

void put_text(std::string& out, std::string_view text) {
  put(out, static_cast<uint64_t>(text.size()));
  out += text;
}

template <typename T>
GgufEntry scalar(std::string key, GgufType type, T value) {
  GgufEntry entry{std::move(key), {}};
  put_type(entry.encoded, type);
  put(entry.encoded, value);
  return entry;
}

GgufEntry array_head(std::string key, GgufType element, size_t count) {
  GgufEntry entry{std::move(key), {}};
  put_type(entry.encoded, GgufType::kArray);
  put_type(entry.encoded, element);
  put(entry.encoded, static_cast<uint64_t>(count));
  return entry;
}

uint32_t type_id(DataType type) {
  switch (type) {
    case DataType::kF16: return 1;
    case DataType::kBF16: return 30;
    case DataType::kQ8_0: return 8;
    case DataType::kQ4_0: return 2;
    case DataType::kQ4_1: return 3;
    default: return 0;
  }
}

uint64_t padding(uint64_t size) { return (kAlignment - size % kAlignment) % kAlignment; }

}  // namespace

GgufEntry gguf_string(std::string key, std::string_view value) {
  GgufEntry entry{std::move(key), {}};
  put_type(entry.encoded, GgufType::kString);
  put_text(entry.encoded, value);
  return entry;
}

GgufEntry gguf_u32(std::string key, uint32_t value) {
  return scalar(std::move(key), GgufType::kU32, value);
}

GgufEntry gguf_f32(std::string key, float value) {
  return scalar(std::move(key), GgufType::kF32, value);
}

GgufEntry gguf_bool(std::string key, bool value) {
  return scalar(std::move(key), GgufType::kBool, static_cast<uint8_t>(value));
}

GgufEntry gguf_strings(std::string key, std::span<const std::string> values) {
  GgufEntry entry = array_head(std::move(key), GgufType::kString, values.size());
  for (const std::string& value : values) put_text(entry.encoded, value);
  return entry;
}

GgufEntry gguf_i32s(std::string key, std::span<const int32_t> values) {
  GgufEntry entry = array_head(std::move(key), GgufType::kI32, values.size());
  for (int32_t value : values) put(entry.encoded, value);
  return entry;
}

GgufEntry gguf_f32s(std::string key, std::span<const float> values) {
  GgufEntry entry = array_head(std::move(key), GgufType::kF32, values.size());
  for (float value : values) put(entry.encoded, value);
  return entry;
}

GgufEntry gguf_copy(const GgufValue& value) {
  GgufEntry entry{std::string(value.key), {}};
  if (value.is_array()) {
    entry = array_head(std::string(value.key), value.element_type, value.count);
  } else {
    put_type(entry.encoded, value.type);
  }
  entry.encoded.append(reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size());
  return entry;
}

GgufWriter::GgufWriter(Env& env, std::string path)
    : env_(env), path_(std::move(path)), partial_(path_ + ".partial") {}

GgufWriter::~GgufWriter() {
  if (finished_ || !data_begun_) return;
  file_.reset();
  try {
    env_.remove_all(partial_);
  } catch (const Error&) {
    // The disk that refused the writing may refuse this too; the first error is the one that counts.
  }
}

void GgufWriter::add(const GgufEntry& entry) {
  HONE_CHECK(!data_begun_);
  put_text(metadata_, entry.key);
  metadata_ += entry.encoded;
  ++entries_;
}

void GgufWriter::declare(const std::string& name, DataType type, size_t rows, size_t cols) {
  HONE_CHECK(!data_begun_ && tensor::can_quantize(type));
  put_text(infos_, name);
  put(infos_, static_cast<uint32_t>(rows == 0 ? 1 : 2));
  put(infos_, static_cast<uint64_t>(cols));
  if (rows != 0) put(infos_, static_cast<uint64_t>(rows));
  put(infos_, type_id(type));
  put(infos_, next_offset_);
  const uint64_t size = tensor::storage_bytes(type, cols) * (rows == 0 ? 1 : rows);
  sizes_.push_back(size);
  next_offset_ += size + padding(size);
}

void GgufWriter::begin_data() {
  data_begun_ = true;
  file_ = env_.create_file(partial_);
  std::string head = "GGUF";
  put(head, uint32_t{3});
  put(head, static_cast<uint64_t>(sizes_.size()));
  put(head, entries_);
  head += metadata_;
  head += infos_;
  head.append(padding(head.size()), '\0');
  file_->append(head);
}

void GgufWriter::append(std::span<const std::byte> bytes) {
  if (!data_begun_) begin_data();
  HONE_CHECK(tensor_ < sizes_.size() && bytes.size() <= sizes_[tensor_] - written_);
  file_->append({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  written_ += bytes.size();
  if (written_ < sizes_[tensor_]) return;
  file_->append(std::string(padding(written_), '\0'));
  written_ = 0;
  ++tensor_;
}

void GgufWriter::finish() {
  if (!data_begun_) begin_data();
  HONE_CHECK(tensor_ == sizes_.size());
  file_->sync();
  file_->close();
  env_.rename(partial_, path_);
  finished_ = true;
}

}  // namespace hone::llm
