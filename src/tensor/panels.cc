#include "tensor/panels.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "tensor/panel_bytes.h"
#include "tensor/panel_layout.h"
#include "tensor/quantize.h"

namespace hone::tensor {

Layout layout_of(DataType type) {
  switch (type) {
    case DataType::kF32: return Layout::kFloat;
    case DataType::kF16: return Layout::kHalf;
    case DataType::kBF16: return Layout::kBrain;
    case DataType::kQ8_0:
    case DataType::kQ5_0:
    case DataType::kIQ4_NL: return Layout::kByte;
    case DataType::kQ4_0: return Layout::kNibble;
    case DataType::kQ4_1: return Layout::kNibbleMin;
    case DataType::kQ4_K: return Layout::kNibbleAffine;
    case DataType::kQ5_1:
    case DataType::kQ5_K:
    case DataType::kQ6_K: return Layout::kByteAffine;
  }
  HONE_CHECK(false);
  return Layout::kFloat;
}

size_t layout_block_bytes(Layout layout) {
  switch (layout) {
    case Layout::kFloat: return 0;
    case Layout::kHalf:
    case Layout::kBrain: return 2048;
    case Layout::kByte: return 64 + 1024;
    case Layout::kNibble: return 64 + 512;
    case Layout::kNibbleMin: return 128 + 512;
    case Layout::kByteAffine: return 512 + 1024;
    case Layout::kNibbleAffine: return 256 + 512;
  }
  return 0;
}

PanelView panel_view(const PanelMatrix& matrix) {
  const Layout layout = layout_of(matrix.type());
  return {layout, matrix.rows(), matrix.cols(), matrix.data(), layout_block_bytes(layout)};
}

size_t packed_bytes(DataType type, size_t n, size_t k) {
  const Layout layout = layout_of(type);
  if (layout == Layout::kFloat) return divide_up(n, kPanel) * kPanel * k * sizeof(float);
  return divide_up(n, kGroup) * divide_up(k, kBlock) * layout_block_bytes(layout);
}

namespace {

// The source row of packed row n: interleaved rope pairs (2i, 2i + 1) become halves (i, i + half).
size_t source_row(size_t n, size_t rows, RowOrder order) {
  if (order.interleaved_heads == 0) return n;
  const size_t width = rows / order.interleaved_heads;
  const size_t half = width / 2;
  const size_t i = n % width;
  return n - i + (i < half ? 2 * i : 2 * (i - half) + 1);
}

template <typename T>
T load(const std::byte* p) {
  T value;
  std::memcpy(&value, p, sizeof(T));
  return value;
}
template <typename T>
void store(std::byte* p, T value) {
  std::memcpy(p, &value, sizeof(T));
}

void put_float_row(float* panels, size_t n, size_t k, const float* values) {
  float* to = panels + n / kPanel * k * kPanel + n % kPanel;
  for (size_t i = 0; i < k; ++i) to[i * kPanel] = values[i];
}

// q[k] + shift, from 0 to 15, of a block's 32 k: eight of them in each of four words.
void put_nibbles(std::byte* quants, size_t column, const int8_t* q, int shift) {
  for (size_t w = 0; w < 4; ++w) {
    uint32_t word = 0;
    for (size_t j = 0; j < kBlock / 4; ++j) {
      word |= static_cast<uint32_t>(q[4 * j + w] + shift) << (4 * j);
    }
    store(quants + (w * kGroup + column) * 4, word);
  }
}
uint32_t get_nibble(const std::byte* quants, size_t column, size_t k) {
  return load<uint32_t>(quants + (k % 4 * kGroup + column) * 4) >> (4 * (k / 4)) & 15u;
}

// Scales of f16 are carried over as the bits they are.
void put_block(Layout layout, const AffineBlock32& block, const std::byte* stored, size_t column,
               std::byte* to) {
  switch (layout) {
    case Layout::kByte:
      std::memcpy(to + 2 * column, stored, 2);
      for (size_t k = 0; k < kBlock; ++k) store(to + 64 + k * kGroup + column, block.q[k]);
      return;
    case Layout::kNibble:
      std::memcpy(to + 2 * column, stored, 2);
      put_nibbles(to + 64, column, block.q, 8);
      return;
    case Layout::kNibbleMin:
      std::memcpy(to + 2 * column, stored, 2);
      std::memcpy(to + 64 + 2 * column, stored + 2, 2);
      put_nibbles(to + 128, column, block.q, 0);
      return;
    case Layout::kByteAffine:
      for (size_t half = 0; half < 2; ++half) {
        store(to + 128 * half + 4 * column, block.d[half]);
        store(to + 256 + 128 * half + 4 * column, block.m[half]);
      }
      for (size_t k = 0; k < kBlock; ++k) store(to + 512 + k * kGroup + column, block.q[k]);
      return;
    case Layout::kNibbleAffine:
      store(to + 4 * column, block.d[0]);
      store(to + 128 + 4 * column, block.m[0]);
      put_nibbles(to + 256, column, block.q, 0);
      return;
    case Layout::kFloat:
    case Layout::kHalf:
    case Layout::kBrain: break;
  }
  HONE_CHECK(false);
}

void put_row(DataType type, const std::byte* source, size_t n, size_t k, std::byte* data) {
  const Layout layout = layout_of(type);
  const size_t block_bytes = layout_block_bytes(layout);
  if (layout == Layout::kFloat) {
    float* to = reinterpret_cast<float*>(data) + n / kPanel * k * kPanel + n % kPanel;
    for (size_t i = 0; i < k; ++i) to[i * kPanel] = load<float>(source + 4 * i);
    return;
  }
  std::byte* group = data + n / kGroup * divide_up(k, kBlock) * block_bytes;
  const size_t column = n % kGroup;
  if (layout == Layout::kHalf || layout == Layout::kBrain) {
    for (size_t i = 0; i < k; ++i) {
      std::byte* block = group + i / kBlock * block_bytes;
      const size_t j = i % kBlock;
      const size_t at = layout == Layout::kHalf ? 2 * (j * kGroup + column)
                                                : 4 * (j / 2 * kGroup + column) + 2 * (j % 2);
      std::memcpy(block + at, source + 2 * i, 2);
    }
    return;
  }
  const DataTypeInfo& stored = info(type);
  AffineBlock32 block;
  for (size_t b = 0; b < k / kBlock; ++b) {
    decode_block32(type, source, b, &block);
    put_block(layout, block, source + b * kBlock / stored.block_size * stored.block_bytes, column,
              group + b * block_bytes);
  }
}

float byte_value(const std::byte* quants, size_t column, size_t k) {
  return static_cast<float>(load<int8_t>(quants + k * kGroup + column));
}
float half_at(const std::byte* p, size_t column) {
  return f16_to_f32(load<uint16_t>(p + 2 * column));
}
float float_at(const std::byte* p, size_t column) { return load<float>(p + 4 * column); }

float block_value(Layout layout, const std::byte* block, size_t column, size_t k) {
  switch (layout) {
    case Layout::kHalf: return f16_to_f32(load<uint16_t>(block + 2 * (k * kGroup + column)));
    case Layout::kBrain:
      return bf16_to_f32(load<uint16_t>(block + 4 * (k / 2 * kGroup + column) + 2 * (k % 2)));
    case Layout::kByte: return half_at(block, column) * byte_value(block + 64, column, k);
    case Layout::kNibble: {
      const float d = half_at(block, column);
      return std::fma(static_cast<float>(get_nibble(block + 64, column, k)), d, -8.0f * d);
    }
    case Layout::kNibbleMin:
      return std::fma(static_cast<float>(get_nibble(block + 128, column, k)),
                      half_at(block, column), half_at(block + 64, column));
    case Layout::kByteAffine: {
      const std::byte* half = block + 128 * (k / 16);
      return std::fma(byte_value(block + 512, column, k), float_at(half, column),
                      float_at(half + 256, column));
    }
    case Layout::kNibbleAffine:
      return std::fma(static_cast<float>(get_nibble(block + 256, column, k)),
                      float_at(block, column), float_at(block + 128, column));
    case Layout::kFloat: break;
  }
  HONE_CHECK(false);
  return 0.0f;
}

}  // namespace

PanelMatrix PanelMatrix::pack(Compute& compute, DataType type, size_t n, size_t k,
                              const std::byte* source, RowOrder order) {
  HONE_CHECK(k % info(type).block_size == 0);
  HONE_CHECK(order.interleaved_heads == 0 || n % (2 * order.interleaved_heads) == 0);
  PanelMatrix matrix;
  matrix.type_ = type;
  matrix.n_ = n;
  matrix.k_ = k;
  matrix.buffer_ = Buffer(packed_bytes(type, n, k));
  const size_t row_bytes = storage_bytes(type, k);
  std::byte* data = matrix.buffer_.data();
  compute.pool().run(divide_up(n, kGroup), [&](size_t group, size_t) {
    const size_t end = std::min(n, (group + 1) * kGroup);
    for (size_t row = group * kGroup; row < end; ++row) {
      put_row(type, source + source_row(row, n, order) * row_bytes, row, k, data);
    }
  });
  return matrix;
}

PanelMatrix PanelMatrix::zeros(size_t n, size_t k) {
  PanelMatrix matrix;
  matrix.n_ = n;
  matrix.k_ = k;
  matrix.buffer_ = Buffer(packed_bytes(DataType::kF32, n, k));
  return matrix;
}

float* PanelMatrix::f32() const {
  HONE_CHECK(is_f32());
  return buffer_.as<float>();
}

size_t PanelMatrix::f32_size() const {
  HONE_CHECK(is_f32());
  return divide_up(n_, kPanel) * kPanel * k_;
}

void PanelMatrix::read_row(size_t n, float* out) const {
  HONE_CHECK(n < n_);
  const PanelView view = panel_view(*this);
  if (view.layout == Layout::kFloat) {
    const float* from = view.panel(n / kPanel) + n % kPanel;
    for (size_t i = 0; i < k_; ++i) out[i] = from[i * kPanel];
    return;
  }
  for (size_t i = 0; i < k_; ++i) {
    out[i] = block_value(view.layout, view.block(n / kGroup, i / kBlock), n % kGroup, i % kBlock);
  }
}

void PanelMatrix::write_row(size_t n, const float* values) {
  HONE_CHECK(n < n_);
  put_float_row(f32(), n, k_, values);
}

PanelMatrix PanelMatrix::to_f32(Compute& compute) const {
  PanelMatrix matrix = zeros(n_, k_);
  float* panels = matrix.f32();
  compute.pool().run(divide_up(n_, kPanel), [&](size_t panel, size_t) {
    std::vector<float> row(k_);
    const size_t end = std::min(n_, (panel + 1) * kPanel);
    for (size_t n = panel * kPanel; n < end; ++n) {
      read_row(n, row.data());
      put_float_row(panels, n, k_, row.data());
    }
  });
  return matrix;
}

PanelMatrix PanelMatrix::clone() const {
  PanelMatrix matrix;
  matrix.type_ = type_;
  matrix.n_ = n_;
  matrix.k_ = k_;
  matrix.buffer_ = Buffer(buffer_.bytes());
  if (buffer_.bytes() != 0) std::memcpy(matrix.buffer_.data(), buffer_.data(), buffer_.bytes());
  return matrix;
}

}  // namespace hone::tensor
