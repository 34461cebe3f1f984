#pragma once
// Who people are, where they belong and how they prove it: everything of control.db but its jobs.
//
// Writing functions take the transaction of control.db, so that the caller can keep the answer to a
// repeated request in the same one; they are called inside Identity::write, which forgets what the
// cache knows once the write is on the disk. What is said inside an organisation lies in that
// organisation's own database: whoever adds a person writes the member row there first and calls
// add_person second (decisions 2.7); a crash between leaves a member row that nobody can use, and
// opening the organisation repairs a membership without one.
//
// Secrets (cookies, tokens, links, invitations) are 256 random bits, returned once and kept as digests.
// Addresses are sealed under the key file and found by a keyed digest.
//
// All functions may be called from any thread. Errors are hone::Error; the message says the next step.

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/env.h"
#include "base/error.h"
#include "label/permissions.h"
#include "seal/secret_box.h"
#include "store/database.h"

namespace hone::label {

inline constexpr int64_t kSecondMs = 1000;
inline constexpr int64_t kMinuteMs = 60 * kSecondMs;
inline constexpr int64_t kDayMs = 24 * 60 * kMinuteMs;
inline constexpr int64_t kLinkLifeMs = 15 * kMinuteMs;
inline constexpr int64_t kSessionIdleMs = 14 * kDayMs;
inline constexpr int64_t kSessionLifeMs = 90 * kDayMs;
inline constexpr int64_t kInvitationLifeMs = 7 * kDayMs;
inline constexpr int kSessionsOfPersonMax = 50;   // the oldest end
inline constexpr int kTokensOfPersonMax = 100;    // living ones
inline constexpr int kOpenInvitationsMax = 1000;  // of an organisation
inline constexpr size_t kPasswordCharsMin = 8;
inline constexpr size_t kPasswordCharsMax = 1000;  // of characters, as the API document counts

// What an access token may be used for; kAll contains every one.
enum class Scope : uint32_t {
  kRead = 1,
  kLabel = 2,
  kImport = 4,
  kExport = 8,
  kTrain = 16,
  kServe = 32,
  kInfer = 64,  // ask models (/v1)
  kAll = 0xffffffff,
};
class Scopes {
 public:
  static Scopes all() { return Scopes(static_cast<uint32_t>(Scope::kAll)); }
  // "read label"; throws invalid_input that names an unknown word.
  static Scopes parse(std::string_view words);
  static Scopes only(Scope scope) { return Scopes(static_cast<uint32_t>(scope)); }
  std::string words() const;
  // kAll is contained by itself only.
  bool contains(Scope scope) const {
    const auto bits = static_cast<uint32_t>(scope);
    return (bits_ & bits) == bits;
  }

 private:
  explicit Scopes(uint32_t bits) : bits_(bits) {}
  uint32_t bits_;
};

// A failure that says when to ask again (429): too many wrong passwords, too many at once.
class TooManyFailures : public Error {
 public:
  TooManyFailures(std::string message, int retry_after_seconds)
      : Error(ErrorCode::kBusy, std::move(message)), retry_after_seconds_(retry_after_seconds) {}
  int retry_after_seconds() const { return retry_after_seconds_; }

 private:
  int retry_after_seconds_;
};

struct OrganisationRecord {
  int64_t key = 0;
  std::string id = {};  // org_…
  std::string name = {};
  int64_t created_at_ms = 0;
};

struct MembershipRecord {
  OrganisationRecord organisation = {};
  Role role = Role::kViewer;
};

// One member of an organisation as control.db knows them.
struct PersonRecord {
  int64_t key = 0;
  std::string id = {};  // usr_…
  std::string name = {};
  std::string email = {};  // empty = none
  Role role = Role::kViewer;
  bool has_password = false;
  int64_t created_at_ms = 0;
  std::optional<int64_t> last_seen_at_ms = {};
};

struct NewPerson {
  std::string id = {};  // from new_person_id(), when the member row was made
  std::string name = {};
  std::string email = {};  // empty = none
  Role role = Role::kAnnotator;
  bool is_operator = false;
};

// Who is asking. Immutable and shared between requests.
struct Principal {
  int64_t person_key = 0;
  std::string person_id;
  std::string person_name;
  std::string locale;
  bool has_password = false;
  bool is_operator = false;  // false for bound sessions and tokens
  // 0 and empty for an operator who belongs nowhere.
  int64_t organisation_key = 0;
  std::string organisation_id;
  std::string organisation_name;
  Role role = Role::kViewer;
  // A session, or a token when token_id is not empty.
  int64_t session_key = 0;
  std::string csrf_token;
  bool is_bound = false;
  std::string token_id;
  Scopes scopes = Scopes::all();

  bool is_token() const { return !token_id.empty(); }
  // What events name and what idempotency keys and rates are counted by.
  const std::string& actor_id() const { return is_token() ? token_id : person_id; }
};
using PrincipalPointer = std::shared_ptr<const Principal>;

struct OpenedSession {
  std::string cookie = {};  // the secret
  int64_t expires_at_ms = 0;
};

struct TokenRecord {
  int64_t key = 0;
  std::string id = {};  // key_…
  std::string name = {};
  std::string scope = {};
  std::string person_id = {};
  int64_t created_at_ms = 0;
  std::optional<int64_t> last_used_at_ms = {};
  std::optional<int64_t> expires_at_ms = {};
};

struct InvitationRecord {
  int64_t key = 0;
  std::string id = {};  // inv_…
  int64_t organisation_key = 0;
  std::string organisation_id = {};
  std::string organisation_name = {};
  Role role = Role::kAnnotator;
  std::string name = {};
  std::string email = {};
  std::string skills = {};  // JSON lists
  std::string languages = {};
  int64_t created_at_ms = 0;
  int64_t expires_at_ms = 0;
  std::string state = {};  // open, accepted, revoked, expired
};

struct NewInvitation {
  Role role = Role::kAnnotator;
  std::string name;
  std::string email;
  std::string skills = "[]";
  std::string languages = "[]";
};

class Identity {
 public:
  // All must outlive it.
  Identity(Env& env, store::Database& control, const seal::SecretBox& box);

  store::Database& control() { return control_; }
  Env& env() { return env_; }

  // f(store::Transaction&) as a durable write of control.db; then the cache of principals is empty.
  template <class F>
  auto write(F&& f) {
    const ForgetAfter forget(*this);
    return control_.write(store::Durability::kDisk, std::forward<F>(f));
  }
  template <class F>
  auto read(F&& f) {
    return control_.read(std::forward<F>(f));
  }

  // ---- Who is asking (identity.cc). Null when the secret is none, ended or expired. Cached for a
  // minute; what is last seen is written at most once a minute and never waited for.
  PrincipalPointer principal_of_session(std::string_view cookie);
  PrincipalPointer principal_of_token(std::string_view secret);
  void forget_principals();

  // ---- Organisations (identity_organisations.cc)
  std::string new_organisation_id();
  OrganisationRecord add_organisation(store::Transaction& tx, const std::string& id,
                                      const std::string& name);
  // Throws not_found.
  OrganisationRecord organisation(store::Connection& db, std::string_view id);
  std::vector<OrganisationRecord> organisations(store::Connection& db, int64_t after_key,
                                                int limit);
  void rename_organisation(store::Transaction& tx, int64_t organisation, std::string_view name);
  // Living ones of a person, oldest first.
  std::vector<MembershipRecord> memberships(store::Connection& db, int64_t person);
  int64_t count_people(store::Connection& db, int64_t organisation);
  // Person ids of everybody who ever belonged to it: what the member rows of org.db must cover.
  std::vector<PersonRecord> everybody(store::Connection& db, int64_t organisation);

  // ---- People (identity_people.cc)
  std::string new_person_id();
  // The address as it is kept: trimmed and in lower case. Throws invalid_input for none.
  static std::string normalised_email(std::string_view email);
  // A person and the membership. An address that somebody of another organisation signs in with is
  // kept for showing, but signs in nobody here: nothing says that it is known elsewhere. Throws
  // conflict when a member of this organisation has it.
  PersonRecord add_person(store::Transaction& tx, int64_t organisation, const NewPerson& person);
  // Throws conflict when a living member of this organisation has the address, invalid_input for none.
  void require_free_email(store::Connection& db, int64_t organisation, std::string_view email);
  // An existing person joins.
  void add_membership(store::Transaction& tx, int64_t organisation, int64_t person, Role role);
  // Throws not_found for somebody who is no living member.
  PersonRecord person(store::Connection& db, int64_t organisation, std::string_view person_id);
  // In the order in which they came. q: part of a name, or a whole address.
  std::vector<PersonRecord> people(store::Connection& db, int64_t organisation, std::string_view q,
                                   int64_t after_key, int limit);
  // Owners are made and unmade by owners only, and the last one stays: forbidden, conflict.
  void check_role_change(store::Connection& db, Role actor, int64_t organisation,
                         std::string_view person_id, Role role);
  void set_role(store::Transaction& tx, Role actor, int64_t organisation,
                std::string_view person_id, Role role);
  // Sessions and tokens of the person for this organisation end too.
  void end_membership(store::Transaction& tx, Role actor, int64_t organisation,
                      std::string_view person_id);
  // Does nothing for a person who belongs to other organisations too: the name there is theirs.
  void rename_person(store::Transaction& tx, int64_t organisation, std::string_view person_id,
                     std::string_view name);

  // ---- Signing in (identity_sessions.cc)
  // The token of a link that works once within 15 minutes. bound: made by a member of the
  // organisation, not by the operator at the command line: the session can do nothing elsewhere.
  std::string make_sign_in_link(store::Transaction& tx, int64_t person,
                                std::optional<int64_t> organisation, bool bound);
  // The same for a member, with the rule that only owners make links for owners and that nobody
  // makes one for an operator of the installation: forbidden.
  void check_link_for_member(store::Connection& db, const Principal& actor,
                             std::string_view person_id);
  std::string make_link_for_member(store::Transaction& tx, const Principal& actor,
                                   std::string_view person_id);
  // Both throw unauthenticated with one sentence for every reason, and TooManyFailures. replaced: a
  // session of this browser that ends now.
  OpenedSession sign_in_with_link(std::string_view token, const std::string& peer,
                                  std::string_view user_agent, int64_t replaced_session);
  OpenedSession sign_in_with_password(std::string_view email, std::string_view password,
                                      const std::string& peer, std::string_view user_agent,
                                      int64_t replaced_session);
  OpenedSession open_session(store::Transaction& tx, int64_t person,
                             std::optional<int64_t> organisation, bool bound,
                             std::string_view user_agent);
  void close_session(store::Transaction& tx, int64_t session);
  // A new cookie for another of the person's organisations; throws not_found.
  OpenedSession switch_organisation(store::Transaction& tx, const Principal& principal,
                                    std::string_view organisation_id, std::string_view user_agent);
  // Argon2id outside of any transaction. Throws forbidden when `current` is needed and wrong, or
  // when a bound session asks for somebody who also belongs elsewhere. Other sessions end.
  void set_password(const Principal& principal, const std::optional<std::string>& current,
                    const std::string& password, const std::string& peer);
  // Throws invalid_input for one of fewer or more characters than the bounds above.
  static void check_password(std::string_view password);
  // Argon2id, at most two at a time; TooManyFailures when it would have to wait long.
  std::string hash_password(std::string_view password);
  void store_password(store::Transaction& tx, int64_t person, const std::string& hash);

  // ---- Access tokens (identity_tokens.cc)
  struct NewToken {
    TokenRecord token;
    std::string secret;  // "hone_…"
  };
  NewToken add_token(store::Transaction& tx, const Principal& principal, std::string_view name,
                     Scopes scopes, std::optional<int64_t> life_ms);
  // The same for the operator at the command line.
  NewToken add_token(store::Transaction& tx, int64_t organisation, int64_t person,
                     std::string_view name, Scopes scopes, std::optional<int64_t> life_ms);
  // Living ones; of everybody when person is 0.
  std::vector<TokenRecord> tokens(store::Connection& db, int64_t organisation, int64_t person,
                                  int64_t after_key, int limit);
  // Throws not_found; person 0 = anybody's.
  void revoke_token(store::Transaction& tx, int64_t organisation, int64_t person,
                    std::string_view token_id);

  // ---- Invitations (identity_invitations.cc)
  struct MadeInvitation {
    InvitationRecord invitation;
    std::string token;
  };
  MadeInvitation add_invitation(store::Transaction& tx, const Principal& actor,
                                const NewInvitation& invitation);
  std::vector<InvitationRecord> invitations(store::Connection& db, int64_t organisation,
                                            int64_t before_key, int limit);
  void revoke_invitation(store::Transaction& tx, int64_t organisation, std::string_view id);
  // Throws not_found with one sentence for every reason.
  InvitationRecord open_invitation(store::Connection& db, std::string_view token);
  // Marks it used; throws not_found when somebody was faster.
  void use_invitation(store::Transaction& tx, int64_t invitation);

 private:
  struct ForgetAfter {
    explicit ForgetAfter(Identity& identity) : identity_(identity) {}
    ~ForgetAfter() { identity_.forget_principals(); }
    ForgetAfter(const ForgetAfter&) = delete;
    ForgetAfter& operator=(const ForgetAfter&) = delete;
    Identity& identity_;
  };
  struct Cached {
    PrincipalPointer principal;
    int64_t loaded_at_ms = 0;
    int64_t seen_at_ms = 0;  // what the database says, or will
    int64_t ends_at_ms = 0;
  };
  PrincipalPointer cached(const std::string& digest, bool is_token);
  std::optional<Cached> load_session(const std::string& digest);
  std::optional<Cached> load_token(const std::string& digest);
  void write_seen(const Cached& entry);

  std::string email_digest(const std::string& email) const;
  std::string unsealed_email(std::string_view sealed, std::string_view person_id) const;
  void require_not_last_owner(store::Connection& db, int64_t organisation);
  void end_access(store::Transaction& tx, int64_t organisation, int64_t person);

  // Guessing (identity_guessing.cc): counts a failure before the secret is looked at, so that many
  // guesses at once do not all pass; throws TooManyFailures while one of the two is locked.
  void count_attempt(const std::string& address_key, const std::string& peer);
  void forgive(const std::string& address_key, const std::string& peer);
  // verify (or hash) under the bound of two at a time.
  bool password_fits(const std::optional<std::string>& hash, std::string_view password);

  Env& env_;
  store::Database& control_;
  const seal::SecretBox& box_;

  std::mutex cache_mutex_;
  std::unordered_map<std::string, Cached> cache_;  // guarded by cache_mutex_
  uint64_t generation_ = 0;                        // guarded by cache_mutex_

  std::mutex hashing_mutex_;
  int hashing_ = 0;  // guarded by hashing_mutex_
};

}  // namespace hone::label
