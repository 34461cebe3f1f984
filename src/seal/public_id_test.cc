#include "seal/public_id.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "base/fault_env.h"

namespace hone::seal {
namespace {

// Gives the bytes that it was told to.
class FixedEntropy : public FaultEnv {
 public:
  explicit FixedEntropy(std::string bytes) : bytes_(std::move(bytes)) {}
  void random_bytes(void* out, size_t n) override {
    ASSERT_EQ(n, bytes_.size());
    std::memcpy(out, bytes_.data(), n);
  }

 private:
  std::string bytes_;
};

TEST(PublicId, HoldsEveryRandomBitInOrder) {
  FixedEntropy none(std::string(16, '\0')), all(std::string(16, '\xff'));
  EXPECT_EQ(new_id(none, "tsk_"), "tsk_00000000000000000000000000");
  EXPECT_EQ(new_id(all, "tsk_"), "tsk_7zzzzzzzzzzzzzzzzzzzzzzzzz");
  std::set<std::string> ids;
  for (int bit = 0; bit < 128; ++bit) {
    std::string bytes(16, '\0');
    bytes[static_cast<size_t>(bit / 8)] = static_cast<char>(0x80 >> (bit % 8));
    FixedEntropy one(bytes);
    std::string id = new_id(one, "");
    // Bit 0 of 128 is the third of the first letter's five.
    EXPECT_EQ(id[static_cast<size_t>((bit + 2) / 5)], "g8421"[(bit + 2) % 5]) << bit;
    ids.insert(id);
  }
  EXPECT_EQ(ids.size(), 128u);
}

TEST(PublicId, OnlyTheFormOfAnIdPassesForOne) {
  std::string id = new_id(real_env(), "asn_");
  EXPECT_TRUE(is_id(id, "asn_"));
  EXPECT_NE(id, new_id(real_env(), "asn_"));
  EXPECT_FALSE(is_id(id, "tsk_"));
  EXPECT_FALSE(is_id(id + "0", "asn_"));
  EXPECT_FALSE(is_id(id.substr(1), "asn_"));
  EXPECT_FALSE(is_id("", "asn_"));
  for (char wrong : {'i', 'l', 'o', 'u', 'A', '\'', '\0', '\xc3'}) {
    std::string changed = id;
    changed.back() = wrong;
    EXPECT_FALSE(is_id(changed, "asn_")) << wrong;
  }
  EXPECT_FALSE(is_id("asn_8zzzzzzzzzzzzzzzzzzzzzzzzz", "asn_")) << "more than 128 bits";
}

}  // namespace
}  // namespace hone::seal
