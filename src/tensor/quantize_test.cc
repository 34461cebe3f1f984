#include "tensor/quantize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace hone::tensor {
namespace {

std::vector<std::byte> from_hex(const std::string& hex) {
  std::vector<std::byte> out(hex.size() / 2);
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<std::byte>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
  }
  return out;
}

std::vector<float> floats_from_hex(const std::string& hex) {
  const std::vector<std::byte> bytes = from_hex(hex);
  std::vector<float> out(bytes.size() / sizeof(float));
  std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

std::vector<uint32_t> bits_of(const std::vector<float>& values) {
  std::vector<uint32_t> out;
  for (float v : values) out.push_back(std::bit_cast<uint32_t>(v));
  return out;
}

struct GoldenLine {
  std::string what, type, in, out;
};

std::vector<GoldenLine> golden_lines(const std::string& what) {
  std::ifstream file("tests/golden/quantize.txt");
  std::vector<GoldenLine> lines;
  std::string text;
  while (std::getline(file, text)) {
    std::istringstream words(text);
    GoldenLine line;
    words >> line.what >> line.type >> line.in >> line.out;
    if (line.what == what) lines.push_back(line);
  }
  return lines;
}

TEST(Quantize, EveryTypeReadsAsGgufPyReadsIt) {
  const std::vector<GoldenLine> lines = golden_lines("decode");
  ASSERT_EQ(lines.size(), 9u);
  for (const GoldenLine& line : lines) {
    const std::vector<float> want = floats_from_hex(line.out);
    const std::vector<std::byte> in = from_hex(line.in);
    const DataType type = data_type_from_name(line.type).value();
    ASSERT_EQ(storage_bytes(type, want.size()), in.size()) << line.type;
    std::vector<float> got(want.size());
    dequantize_row(type, in.data(), got.size(), got.data());
    EXPECT_EQ(bits_of(got), bits_of(want)) << line.type;
  }
}

TEST(Quantize, ABlockOf32InAffineFormGivesTheValuesOfTheRow) {
  for (const GoldenLine& line : golden_lines("decode")) {
    const std::vector<float> want = floats_from_hex(line.out);
    const std::vector<std::byte> in = from_hex(line.in);
    std::vector<float> got;
    for (size_t b = 0; b < want.size() / 32; ++b) {
      AffineBlock32 block;
      decode_block32(data_type_from_name(line.type).value(), in.data(), b, &block);
      for (size_t i = 0; i < 32; ++i) {
        got.push_back(std::fma(block.d[i / 16], static_cast<float>(block.q[i]), block.m[i / 16]));
      }
    }
    EXPECT_EQ(bits_of(got), bits_of(want)) << line.type;
  }
}

TEST(Quantize, WritesTheBlocksThatGgufPyWrites) {
  const std::vector<GoldenLine> lines = golden_lines("encode");
  ASSERT_EQ(lines.size(), 5u);
  for (const GoldenLine& line : lines) {
    const std::vector<float> in = floats_from_hex(line.in);
    const std::vector<std::byte> want = from_hex(line.out);
    std::vector<std::byte> got(want.size());
    quantize_row(data_type_from_name(line.type).value(), in.data(), in.size(), got.data());
    EXPECT_EQ(got, want) << line.type;
  }
}

TEST(Quantize, EveryF16SurvivesTheWayThroughF32) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const float value = f16_to_f32(static_cast<uint16_t>(bits));
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(value))));
    } else {
      ASSERT_EQ(f32_to_f16(value), bits);
    }
  }
}

TEST(Quantize, EveryF16MeansSignTimesMantissaTimesPowerOfTwo) {
  for (uint32_t bits = 0; bits < 0x7c00; ++bits) {
    const int exponent = static_cast<int>(bits >> 10);
    const int mantissa = static_cast<int>(bits & 1023);
    const double want =
        exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
    ASSERT_EQ(static_cast<double>(f16_to_f32(static_cast<uint16_t>(bits))), want);
    ASSERT_EQ(static_cast<double>(f16_to_f32(static_cast<uint16_t>(bits | 0x8000))), -want);
  }
}

TEST(Quantize, HalfwayBetweenTwoF16GoesToTheEvenOneAndBesideItToTheNearer) {
  for (uint32_t bits = 0; bits < 0x7bff; ++bits) {
    const float low = f16_to_f32(static_cast<uint16_t>(bits));
    const float high = f16_to_f32(static_cast<uint16_t>(bits + 1));
    const float middle = (low + high) / 2;
    const uint32_t even = bits % 2 == 0 ? bits : bits + 1;
    ASSERT_EQ(f32_to_f16(middle), even);
    ASSERT_EQ(f32_to_f16(std::nextafterf(middle, 0.0f)), bits);
    ASSERT_EQ(f32_to_f16(std::nextafterf(middle, high)), bits + 1);
  }
}

TEST(Quantize, WhatF16CannotHoldBecomesInfinityOrZeroAndNaNStaysNaN) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(f32_to_f16(65519.0f), 0x7bff);
  EXPECT_EQ(f32_to_f16(65520.0f), 0x7c00);
  EXPECT_EQ(f32_to_f16(-infinity), 0xfc00);
  EXPECT_EQ(f32_to_f16(0x1p-25f), 0);
  EXPECT_EQ(f32_to_f16(-1e-30f), 0x8000);
  EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(std::nanf("")))));
  EXPECT_EQ(f32_to_bf16(3.4e38f), 0x7f80);
  EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(std::bit_cast<float>(0x7f800001u)))));
}

TEST(Quantize, ValuesThatAreNoNumbersAreWrittenWithoutHarmAndStayVisible) {
  std::vector<float> values(32, 1.0f);
  values[3] = std::numeric_limits<float>::infinity();
  values[4] = std::nanf("");
  for (DataType type : {DataType::kQ8_0, DataType::kQ4_0, DataType::kQ4_1}) {
    std::vector<std::byte> block(storage_bytes(type, 32));
    quantize_row(type, values.data(), 32, block.data());
    std::vector<float> back(32);
    dequantize_row(type, block.data(), 32, back.data());
    EXPECT_FALSE(std::isfinite(back[3])) << info(type).name;
  }
}

TEST(Quantize, ARowIsFiniteWhenAllOfItsValuesAreAndRandomBytesOfEveryTypeAgree) {
  std::mt19937 random(7);
  for (size_t t = 0; t <= static_cast<size_t>(DataType::kQ6_K); ++t) {
    const auto type = static_cast<DataType>(t);
    const size_t n = 512;
    std::vector<std::byte> row(storage_bytes(type, n));
    std::vector<float> values(n);
    size_t finite = 0, not_finite = 0;
    for (size_t round = 0; round < 400; ++round) {
      // Random bytes are almost never finite throughout; small ones are.
      const unsigned most = round % 2 == 0 ? 0x3fu : 0xffu;
      for (std::byte& each : row) each = static_cast<std::byte>(random() & most);
      if (round % 8 == 2) row[random() % row.size()] = std::byte{0x7c};
      dequantize_row(type, row.data(), n, values.data());
      const bool all = std::all_of(values.begin(), values.end(),
                                   [](float value) { return std::isfinite(value); });
      EXPECT_EQ(is_row_finite(type, row.data(), n), all) << info(type).name << " " << round;
      ++(all ? finite : not_finite);
    }
    EXPECT_GT(finite, 0u) << info(type).name;
    EXPECT_GT(not_finite, 0u) << info(type).name;
  }
}

TEST(DataType, NamesAreFoundInAnyCaseAndUnknownOnesAreNot) {
  EXPECT_EQ(data_type_from_name("q4_1"), DataType::kQ4_1);
  EXPECT_EQ(data_type_from_name("IQ4_nl"), DataType::kIQ4_NL);
  EXPECT_EQ(data_type_from_name("Q2_K"), std::nullopt);
}

}  // namespace
}  // namespace hone::tensor
