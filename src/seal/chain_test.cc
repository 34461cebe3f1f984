#include "seal/chain.h"

#include <gtest/gtest.h>

#include <vector>

#include "seal/digest.h"

namespace hone::seal {
namespace {

struct Link {
  std::string record, head;
};

std::vector<Link> five_links() {
  std::vector<Link> links;
  std::string head = chain_start();
  for (const char* record : {"one", "two", "", "four", "five"}) {
    head = next_head(head, record);
    links.push_back({record, head});
  }
  return links;
}

// How many records hold, read from the start.
uint64_t holding(const std::vector<Link>& links) {
  ChainVerifier verifier(chain_start());
  for (const Link& link : links) verifier.add(link.record, link.head);
  EXPECT_EQ(verifier.intact(), verifier.records() == links.size());
  return verifier.records();
}

TEST(Chain, AHeadIsTheDigestOfThePreviousHeadAndTheRecord) {
  // sha256sum of 32 zero bytes and "abc".
  std::string head = next_head(chain_start(), "abc");
  EXPECT_EQ(head.size(), kHeadBytes);
  EXPECT_EQ(head, sha256_bytes(std::string(32, '\0') + "abc"));
  EXPECT_EQ(next_head(head, "d"), sha256_bytes(head + "d"));
}

TEST(Chain, WhatWasAppendedHoldsWhole) { EXPECT_EQ(holding(five_links()), 5u); }

TEST(Chain, AChangeIsFoundWhereItWasMade) {
  auto changed = five_links();
  changed[2].record = "x";
  EXPECT_EQ(holding(changed), 2u);
  auto left_out = five_links();
  left_out.erase(left_out.begin() + 1);
  EXPECT_EQ(holding(left_out), 1u);
  auto swapped = five_links();
  std::swap(swapped[3], swapped[4]);
  EXPECT_EQ(holding(swapped), 3u);
  auto put_in = five_links();
  put_in.insert(put_in.begin() + 4, {"forged", put_in[4].head});
  EXPECT_EQ(holding(put_in), 4u);
  auto cut_head = five_links();
  cut_head[0].head.pop_back();
  EXPECT_EQ(holding(cut_head), 0u);
  auto text_moved_over = five_links();
  text_moved_over[0].record = "onet";
  text_moved_over[1].record = "wo";
  EXPECT_EQ(holding(text_moved_over), 0u);
}

TEST(Chain, ARangeIsVerifiedFromATrustedHead) {
  auto links = five_links();
  ChainVerifier verifier(links[2].head);
  EXPECT_TRUE(verifier.add(links[3].record, links[3].head));
  EXPECT_TRUE(verifier.add(links[4].record, links[4].head));
  EXPECT_EQ(verifier.head(), links[4].head);
  ChainVerifier elsewhere(links[1].head);
  EXPECT_FALSE(elsewhere.add(links[3].record, links[3].head));
  EXPECT_FALSE(elsewhere.add(links[2].record, links[2].head)) << "after a break nothing holds";
}

}  // namespace
}  // namespace hone::seal
