#include "seal/signer.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>

#include "base/error.h"
#include "seal/secret_box.h"

namespace hone::seal {
namespace {

std::string bytes_from(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

constexpr std::string_view kSeed =
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";

// RFC 8032 7.1, TEST 1 and TEST 2.
TEST(Signer, TheSeedGivesThePublicKeyOfTheStandard) {
  EXPECT_EQ(Signer::from_seed(bytes_from(kSeed)).public_key(),
            "ed25519:d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  EXPECT_EQ(Signer::from_seed(
                bytes_from("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"))
                .public_key(),
            "ed25519:3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
}

// Another implementation makes the same bytes.
TEST(Signer, OpensslSignsTheSameContextZeroAndBytesAlike) {
  std::string seed = bytes_from(kSeed);
  std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(
      EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr,
                                   reinterpret_cast<const unsigned char*>(seed.data()), 32),
      EVP_PKEY_free);
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  const std::string message = std::string("report") + '\0' + "seventy rows";
  unsigned char signature[64];
  size_t size = sizeof signature;
  ASSERT_EQ(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()), 1);
  ASSERT_EQ(EVP_DigestSign(context.get(), signature, &size,
                           reinterpret_cast<const unsigned char*>(message.data()), message.size()),
            1);
  std::string ours = bytes_from(Signer::from_seed(seed).sign("seventy rows", "report"));
  EXPECT_EQ(ours, std::string(reinterpret_cast<const char*>(signature), size));
}

TEST(Signer, ASignatureHoldsForItsBytesContextAndKeyOnly) {
  Signer signer = Signer::from_seed(bytes_from(kSeed));
  Signer other = Signer::from_seed(std::string(32, 'x'));
  std::string signature = signer.sign("the head", "chain head");
  EXPECT_EQ(signature.size(), 128u);
  EXPECT_EQ(signature, signer.sign("the head", "chain head")) << "Ed25519 has no chance in it";
  auto holds = [&](std::string_view key, std::string_view bytes, std::string_view context,
                   std::string_view text) { return verify_signature(key, bytes, context, text); };
  EXPECT_TRUE(holds(signer.public_key(), "the head", "chain head", signature));
  EXPECT_FALSE(holds(other.public_key(), "the head", "chain head", signature));
  EXPECT_FALSE(holds(signer.public_key(), "the heap", "chain head", signature));
  EXPECT_FALSE(holds(signer.public_key(), "the head", "report", signature));
  EXPECT_FALSE(holds(signer.public_key(), "head", "chain headthe ", signature));
  for (size_t i = 0; i < signature.size(); ++i) {
    std::string changed = signature;
    changed[i] = changed[i] == '0' ? '1' : '0';
    EXPECT_FALSE(holds(signer.public_key(), "the head", "chain head", changed)) << i;
  }
}

TEST(Signer, WhatIsNoKeyOrNoSignatureVerifiesNothing) {
  Signer signer = Signer::from_seed(bytes_from(kSeed));
  std::string signature = signer.sign("x", "c"), key = signer.public_key();
  EXPECT_FALSE(verify_signature("", "x", "c", signature));
  EXPECT_FALSE(verify_signature(key.substr(8), "x", "c", signature));
  EXPECT_FALSE(verify_signature(key + "00", "x", "c", signature));
  EXPECT_FALSE(verify_signature("ed25519:" + std::string(64, 'g'), "x", "c", signature));
  EXPECT_FALSE(verify_signature("ed25519:" + std::string(64, '0'), "x", "c", signature));
  EXPECT_FALSE(verify_signature(key, "x", "c", ""));
  EXPECT_FALSE(verify_signature(key, "x", "c", signature + "0"));
  EXPECT_FALSE(verify_signature(key, "x", "c", std::string(128, '0')));
}

TEST(Signer, TheKeyFileIsMadeOnceForItsOwnerOnly) {
  std::string folder =
      (std::filesystem::temp_directory_path() / ("hone_signer_" + new_token(real_env()))).string();
  std::filesystem::create_directories(folder);
  std::string path = folder + "/signing_key";
  std::string key = Signer::open(real_env(), path).public_key();
  EXPECT_EQ(Signer::open(real_env(), path).public_key(), key);
  EXPECT_NE(Signer::open(real_env(), path + "2").public_key(), key);
  struct stat info = {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  for (const std::string& wrong : {std::string(), std::string(63, 'a'), std::string(64, 'A'),
                                   std::string(65, 'a'), std::string(64, 'z')}) {
    write_file_atomically(real_env(), path, wrong);
    try {
      Signer::open(real_env(), path);
      ADD_FAILURE() << wrong;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kCorruptData);
      EXPECT_NE(error.message().find("signing_key"), std::string::npos);
    }
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace hone::seal
