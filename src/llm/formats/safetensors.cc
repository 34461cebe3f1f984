#include "llm/formats/safetensors.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/check.h"
#include "base/error.h"
#include "base/json.h"
#include "llm/formats/quote.h"

namespace hone::llm {
namespace {

using tensor::DataType;

constexpr uint64_t kMostHeader = 100'000'000;  // the format's own bound
constexpr size_t kMostDimensions = 8;

std::optional<DataType> type_from(const std::string& name) {
  if (name == "F32") return DataType::kF32;
  if (name == "F16") return DataType::kF16;
  if (name == "BF16") return DataType::kBF16;
  return std::nullopt;
}

class Reader {
 public:
  // bytes: at least the header; size: of the whole file.
  Reader(const std::string& name, std::span<const std::byte> bytes, uint64_t size)
      : name_(name), bytes_(bytes), size_(size) {}

  // 8 and the header's length, once they are known not to lie.
  static uint64_t header_end(const std::string& name, std::span<const std::byte> bytes,
                             uint64_t size) {
    if (bytes.size() < 8) {
      throw corrupt_data(name +
                         ": truncated safetensors: shorter than its header's length. "
                         "Download or write the file again.");
    }
    uint64_t length = 0;
    std::memcpy(&length, bytes.data(), 8);
    if (length > size - 8) {
      throw corrupt_data(name + ": truncated safetensors or another format: the header claims " +
                         std::to_string(length) + " bytes, the file has " + std::to_string(size) +
                         ". Download or write the file again.");
    }
    if (length > kMostHeader) {
      throw corrupt_data(name +
                         ": the header has more than 100 MB. Download or write the file again.");
    }
    return 8 + length;
  }

  std::vector<SafetensorsEntry> run() {
    const Json header = read_header();
    for (const auto& [name, entry] : header.as_object()) {
      if (name != "__metadata__") read_tensor(name, entry);
    }
    std::sort(
        placed_.begin(), placed_.end(),
        [](const SafetensorsEntry& a, const SafetensorsEntry& b) { return a.offset < b.offset; });
    return check_packing();
  }

 private:
  [[noreturn]] void corrupt(const std::string& what) const {
    throw corrupt_data(name_ + ": " + what + ". Download or write the file again.");
  }

  Json read_header() {
    data_begin_ = header_end(name_, bytes_, size_);
    HONE_CHECK(bytes_.size() >= data_begin_);
    data_bytes_ = size_ - data_begin_;
    const std::string_view text(reinterpret_cast<const char*>(bytes_.data()) + 8, data_begin_ - 8);
    Result<Json> header = Json::parse(text, {.max_depth = 8, .max_bytes = kMostHeader});
    if (!header) corrupt("the header is not JSON: " + header.error().message());
    if (!header->is_object()) corrupt("the header is no JSON object");
    return std::move(header).value();
  }

  uint64_t number(const std::string& who, const Json& value) const {
    if (!value.is_integer() || value.as_double() < 0 || value.as_double() > 9e18) {
      corrupt(who + ": shape and data_offsets must be non-negative integers");
    }
    return static_cast<uint64_t>(value.as_int());
  }

  void read_tensor(const std::string& name, const Json& entry) {
    const std::string who = "tensor " + quote(name);
    const Json* type = entry.find("dtype");
    const Json* shape = entry.find("shape");
    const Json* offsets = entry.find("data_offsets");
    if (type == nullptr || !type->is_string() || shape == nullptr || !shape->is_array() ||
        offsets == nullptr || !offsets->is_array() || offsets->size() != 2) {
      corrupt(who + " needs dtype, shape and data_offsets [begin, end]");
    }
    const std::optional<DataType> known = type_from(type->as_string());
    if (!known) {
      throw invalid_input(name_ + ": " + who + " is stored as " + quote(type->as_string()) +
                          ", which Hone does not read (F32, F16, BF16)");
    }
    if (shape->size() > kMostDimensions) corrupt(who + " has more than 8 dimensions");
    SafetensorsEntry placed;
    placed.name = name;
    placed.type = *known;
    uint64_t elements = 1;
    for (const Json& dimension : shape->as_array()) {
      const uint64_t size = number(who, dimension);
      if (size == 0 || size > data_bytes_ / elements) {
        corrupt(who + " has an impossible shape: a dimension of " + std::to_string(size) +
                " in a file of " + std::to_string(size_) + " bytes");
      }
      elements *= size;
      placed.shape.push_back(size);
    }
    const uint64_t begin = number(who, offsets->as_array()[0]);
    const uint64_t end = number(who, offsets->as_array()[1]);
    if (begin > end || end > data_bytes_) {
      corrupt("truncated safetensors: " + who + " lies outside the file (data_offsets " +
              std::to_string(begin) + " to " + std::to_string(end) + ", " +
              std::to_string(data_bytes_) + " bytes of data)");
    }
    const uint64_t needed = tensor::storage_bytes(*known, elements);
    if (end - begin != needed) {
      corrupt(who + " has " + std::to_string(end - begin) + " bytes, its shape and type need " +
              std::to_string(needed));
    }
    placed.offset = data_begin_ + begin;
    placed.bytes = needed;
    placed_.push_back(std::move(placed));
  }

  std::vector<SafetensorsEntry> check_packing() {
    std::vector<SafetensorsEntry> out;
    uint64_t end = data_begin_;
    for (SafetensorsEntry& placed : placed_) {
      if (placed.offset != end) {
        const std::string who = "tensor " + quote(placed.name);
        if (placed.offset > end) corrupt("there is a hole before " + who);
        corrupt(who + " overlaps tensor " + quote(out.back().name));
      }
      end = placed.offset + placed.bytes;
      out.push_back(std::move(placed));
    }
    if (end != size_) {
      corrupt(std::to_string(size_ - end) + " bytes after the last tensor belong to none");
    }
    return out;
  }

  const std::string& name_;
  std::span<const std::byte> bytes_;
  uint64_t size_, data_begin_ = 0, data_bytes_ = 0;
  std::vector<SafetensorsEntry> placed_;
};

std::span<const std::byte> bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

}  // namespace

std::vector<SafetensorsEntry> read_safetensors_layout(Env& env, const std::string& path) {
  const uint64_t size = env.file_size(path);
  const std::string length = env.read_range(path, 0, 8);
  const std::string header =
      env.read_range(path, 0, Reader::header_end(path, bytes_of(length), size));
  return Reader(path, bytes_of(header), size).run();
}

std::unique_ptr<SafetensorsFile> SafetensorsFile::open(const std::string& path) {
  auto mapping = std::make_unique<MappedFile>(path);
  auto file = parse(path, mapping->bytes());
  file->mapping_ = std::move(mapping);
  return file;
}

std::unique_ptr<SafetensorsFile> SafetensorsFile::parse(std::string name,
                                                        std::span<const std::byte> bytes) {
  std::unique_ptr<SafetensorsFile> file(new SafetensorsFile);
  file->name_ = std::move(name);
  for (SafetensorsEntry& entry : Reader(file->name_, bytes, bytes.size()).run()) {
    file->tensors_.push_back({std::move(entry.name), entry.type, std::move(entry.shape),
                              bytes.subspan(entry.offset, entry.bytes)});
  }
  return file;
}

SafetensorsWriter::SafetensorsWriter(Env& env, std::string path)
    : env_(env), path_(std::move(path)), partial_(path_ + ".partial") {}

SafetensorsWriter::~SafetensorsWriter() {
  if (finished_ || !data_begun_) return;
  file_.reset();
  try {
    env_.remove_all(partial_);
  } catch (const Error&) {
    // The disk that refused the writing may refuse this too; the first error is the one that counts.
  }
}

void SafetensorsWriter::declare(const std::string& name, DataType type, std::vector<size_t> shape) {
  HONE_CHECK(!data_begun_ && tensor::info(type).block_size == 1);
  size_t elements = 1;
  for (size_t size : shape) elements *= size;
  const uint64_t bytes = tensor::storage_bytes(type, elements);
  declared_.push_back({name, type, std::move(shape), bytes});
  total_ += bytes;
}

void SafetensorsWriter::begin_data() {
  data_begun_ = true;
  Json header = Json::object();
  header["__metadata__"]["format"] = "pt";  // transformers refuses files without it
  uint64_t offset = 0;
  for (const Declared& tensor : declared_) {
    Json entry = Json::object();
    entry["dtype"] = tensor::info(tensor.type).name;
    entry["shape"] = Json::array();
    for (size_t size : tensor.shape) entry["shape"].push_back(static_cast<uint64_t>(size));
    entry["data_offsets"].push_back(offset);
    offset += tensor.bytes;
    entry["data_offsets"].push_back(offset);
    header[tensor.name] = std::move(entry);
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  const uint64_t length = text.size();
  file_ = env_.create_file(partial_);
  file_->append({reinterpret_cast<const char*>(&length), sizeof length});
  file_->append(text);
}

void SafetensorsWriter::append(std::span<const std::byte> bytes) {
  if (!data_begun_) begin_data();
  HONE_CHECK(bytes.size() <= total_ - written_);
  file_->append({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  written_ += bytes.size();
}

void SafetensorsWriter::finish() {
  if (!data_begun_) begin_data();
  HONE_CHECK(written_ == total_);
  file_->sync();
  file_->close();
  env_.rename(partial_, path_);
  finished_ = true;
}

}  // namespace hone::llm
