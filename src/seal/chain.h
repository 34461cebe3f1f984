#pragma once
// A chain of hashes over records that are only ever appended: each head is SHA-256(previous head ||
// the record's canonical bytes), so that whoever keeps one head can tell later whether anything
// before it was changed, left out or put in. Nothing else is promised: who can write the whole table
// can write another chain, which is why heads are signed and handed out (signer.h).
//
// A head is 32 raw bytes. A ChainVerifier belongs to one thread; the functions may be called from any.

#include <cstdint>
#include <string>
#include <string_view>

namespace hone::seal {

inline constexpr size_t kHeadBytes = 32;

// The head before the first record: 32 zero bytes.
std::string chain_start();

// previous: a head; a text of another length is our mistake.
std::string next_head(std::string_view previous, std::string_view record);

// Walks a range of a chain, from a head that is trusted:
//   ChainVerifier verifier(chain_start());
//   for (const Row& row : rows) if (!verifier.add(canonical(row), row.bytes(8))) break;
class ChainVerifier {
 public:
  explicit ChainVerifier(std::string_view start);

  // Whether `head` (anything that was stored) is the head after this record. From the first that is
  // not, all are refused.
  bool add(std::string_view record, std::string_view head);

  bool intact() const { return intact_; }
  uint64_t records() const { return records_; }      // that held
  const std::string& head() const { return head_; }  // after those

 private:
  std::string head_;
  uint64_t records_ = 0;
  bool intact_ = true;
};

}  // namespace hone::seal
