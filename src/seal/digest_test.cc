#include "seal/digest.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/error.h"

namespace hone::seal {
namespace {

// FIPS 180-4 examples.
TEST(Digest, Sha256GivesTheKnownAnswers) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 in_parts;
  in_parts.update("a");
  EXPECT_EQ(in_parts.hex_so_far(), sha256_hex("a"));
  in_parts.update("bc");
  EXPECT_EQ(in_parts.hex_so_far(), sha256_hex("abc"));
  EXPECT_EQ(in_parts.hex(), sha256_hex("abc"));
  EXPECT_EQ(sha256_bytes("abc").substr(0, 4), "\xba\x78\x16\xbf");
  EXPECT_EQ(sha256_bytes("abc").size(), 32u);
}

// RFC 4231, test cases 1, 2 and 6 (a salt longer than a block).
TEST(Digest, ASaltedDigestIsTheHmacOfTheStandard) {
  EXPECT_EQ(salted_digest(std::string(20, '\x0b'), "Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(salted_digest("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(salted_digest(std::string(131, '\xaa'),
                          "Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  EXPECT_NE(salted_digest("Jefe", "yes"), salted_digest("Jeff", "yes"));
}

TEST(Digest, AFileHasTheDigestOfItsBytes) {
  std::string path = (std::filesystem::temp_directory_path() / "hone_digest_test").string();
  std::string bytes(3000000, 'q');
  std::ofstream(path, std::ios::binary) << bytes;
  EXPECT_EQ(sha256_file(path), sha256_hex(bytes));
  std::remove(path.c_str());
  EXPECT_THROW(sha256_file(path), Error);
  EXPECT_THROW(sha256_file("."), Error);
}

// The example of docs/formats/digest.md.
TEST(Digest, AnArtefactHasTheDigestOfThePageWhateverTheOrder) {
  std::pair<std::string, std::string> config{"config.json", sha256_hex("{\"a\":1}")};
  std::pair<std::string, std::string> model{"model.safetensors", sha256_hex("weights")};
  std::string expected = "220cfbbc3037f013445b4645200deecc7bca6f92c6f0c7a2c0e66a8b3964e428";
  EXPECT_EQ(artefact_digest({config, model}), expected);
  EXPECT_EQ(artefact_digest({model, config}), expected);
  EXPECT_NE(artefact_digest({config}), expected);
  std::ifstream page("docs/formats/digest.md");
  std::string text((std::istreambuf_iterator<char>(page)), {});
  EXPECT_NE(text.find(expected), std::string::npos) << "the page's example is another";
}

TEST(Digest, AnArtefactWithAStrangePathOrDigestIsRefused) {
  std::string digest = sha256_hex("");
  EXPECT_THROW(artefact_digest({{"a", digest}, {"a", digest}}), Error);
  EXPECT_THROW(artefact_digest({{"", digest}}), Error);
  EXPECT_THROW(artefact_digest({{"a\nb", digest}}), Error);
  EXPECT_THROW(artefact_digest({{"a", digest.substr(1)}}), Error);
  EXPECT_THROW(artefact_digest({{"a", "E" + digest.substr(1)}}), Error);
}

}  // namespace
}  // namespace hone::seal
