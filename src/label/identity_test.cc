#include "label/identity.h"

#include <gtest/gtest.h>

#include <span>

#include "base/embedded_file.h"
#include "label/testing.h"
#include "store/migrate.h"
#include "store/sqlite_database.h"
#include "store/testing.h"

namespace hone::embedded {
std::span<const EmbeddedFile> control_migrations();
}

namespace hone::label {
namespace {

using store::error_from;
using store::Transaction;

// control.db with one organisation, its owner and a labeller with address and password.
class IdentityTest : public ::testing::Test {
 protected:
  IdentityTest() : env_(7), box_(seal::SecretBox::open(env_, folder_.file("key"))) {
    store::SqliteOptions options;
    options.path = folder_.file("control.db");
    control_ = store::open_sqlite(options, env_);
    store::migrate(*control_, store::migrations_of(embedded::control_migrations()), env_.now_ms());
    identity_ = std::make_unique<Identity>(env_, *control_, box_);
    const std::string hash = identity_->hash_password("correct horse");
    identity_->write([&](Transaction& tx) {
      organisation_ = identity_->add_organisation(tx, identity_->new_organisation_id(), "Acme");
      owner_ = add(tx, "Ada", "", Role::kOwner);
      bea_ = add(tx, "Bea", " Bea@Example.ORG ", Role::kAnnotator);
      identity_->store_password(tx, bea_.key, hash);
    });
  }
  PersonRecord add(Transaction& tx, const std::string& name, const std::string& email, Role role) {
    return identity_->add_person(
        tx, organisation_.key,
        {.id = identity_->new_person_id(), .name = name, .email = email, .role = role});
  }
  std::string link_for(int64_t person, bool bound = false) {
    return identity_->write([&](Transaction& tx) {
      return identity_->make_sign_in_link(tx, person, organisation_.key, bound);
    });
  }
  OpenedSession sign_in(int64_t person) {
    return identity_->sign_in_with_link(link_for(person), "127.0.0.1", "test", 0);
  }
  OpenedSession try_password(const std::string& password, const std::string& peer = "10.0.0.1") {
    return identity_->sign_in_with_password("bea@example.org", password, peer, "test", 0);
  }
  ErrorCode code_of(const std::function<void()>& act) { return error_from(act).code(); }

  store::TestFolder folder_;
  TestEnv env_;
  seal::SecretBox box_;
  std::unique_ptr<store::Database> control_;
  std::unique_ptr<Identity> identity_;
  OrganisationRecord organisation_;
  PersonRecord owner_, bea_;
};

TEST_F(IdentityTest, ALinkWorksOnceAndForFifteenMinutes) {
  const std::string used = link_for(owner_.key);
  identity_->sign_in_with_link(used, "p", "test", 0);
  EXPECT_EQ(code_of([&] { identity_->sign_in_with_link(used, "p", "test", 0); }),
            ErrorCode::kUnauthenticated);
  const std::string old = link_for(owner_.key);
  env_.advance_ms(kLinkLifeMs);
  EXPECT_EQ(code_of([&] { identity_->sign_in_with_link(old, "p", "test", 0); }),
            ErrorCode::kUnauthenticated);
}

TEST_F(IdentityTest, NoSecretIsInTheDatabase) {
  const std::string link = link_for(bea_.key);
  const OpenedSession session = sign_in(owner_.key);
  const auto token = identity_->write([&](Transaction& tx) {
    return identity_->add_token(tx, organisation_.key, bea_.key, "t", Scopes::all(), std::nullopt);
  });
  for (const char* file : {"control.db", "control.db-wal"}) {
    const std::string bytes = real_env().read_file(folder_.file(file), 64 << 20);
    for (const std::string& secret :
         {link, session.cookie, token.secret, token.secret.substr(5),
          std::string("bea@example.org"), std::string("correct horse")}) {
      EXPECT_EQ(bytes.find(secret), std::string::npos) << file;
    }
  }
  EXPECT_EQ(identity_->read([&](store::Connection& db) {
    return identity_->person(db, organisation_.key, bea_.id).email;
  }),
            "bea@example.org");
}

TEST_F(IdentityTest, ASessionEndsWhenIdleForTwoWeeksAndAfterNinetyDays) {
  const OpenedSession idle = sign_in(owner_.key);
  env_.advance_ms(kSessionIdleMs - 1);
  ASSERT_NE(identity_->principal_of_session(idle.cookie), nullptr);  // seen: two weeks more
  identity_->write([](Transaction&) {});  // what was seen is written by now
  env_.advance_ms(kSessionIdleMs - 1);
  EXPECT_NE(identity_->principal_of_session(idle.cookie), nullptr);
  identity_->write([](Transaction&) {});
  env_.advance_ms(kSessionIdleMs);
  EXPECT_EQ(identity_->principal_of_session(idle.cookie), nullptr);

  const OpenedSession busy = sign_in(owner_.key);
  for (int day = 0; day < 90; ++day) {
    EXPECT_NE(identity_->principal_of_session(busy.cookie), nullptr) << day;
    identity_->write([](Transaction&) {});
    env_.advance_ms(kDayMs);
  }
  EXPECT_EQ(identity_->principal_of_session(busy.cookie), nullptr);
}

TEST_F(IdentityTest, GuessingLocksTheAddressForTwiceAsLongEachTime) {
  int64_t locked_s = 0;
  int refused = 0;
  for (int i = 0; i < 8; ++i) {
    try {
      try_password("wrong");
    } catch (const TooManyFailures& error) {
      ++refused;
      EXPECT_GE(error.retry_after_seconds(), locked_s);
      locked_s = error.retry_after_seconds();
      env_.advance_ms(locked_s * kSecondMs);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnauthenticated);
    }
  }
  EXPECT_GE(refused, 1);
  EXPECT_GE(locked_s, 2);
  // Locked means the right password too; later it works, and the count begins anew.
  for (int i = 0; i < 3 && code_of([&] { try_password("wrong"); }) != ErrorCode::kBusy; ++i) {
  }
  EXPECT_EQ(code_of([&] { try_password("correct horse"); }), ErrorCode::kBusy);
  env_.advance_ms(15 * kMinuteMs);
  EXPECT_FALSE(try_password("correct horse").cookie.empty());
  EXPECT_EQ(code_of([&] { try_password("wrong"); }), ErrorCode::kUnauthenticated);
  EXPECT_FALSE(try_password("correct horse").cookie.empty());
}

TEST_F(IdentityTest, GuessingManyAddressesLocksThePeer) {
  bool locked = false;
  for (int i = 0; i < 25 && !locked; ++i) {
    const Error error = error_from(
        [&] { identity_->sign_in_with_link("none" + std::to_string(i), "10.9.9.9", "test", 0); });
    locked = error.code() == ErrorCode::kBusy;
  }
  EXPECT_TRUE(locked);
  EXPECT_FALSE(try_password("correct horse", "10.1.1.1").cookie.empty());  // others are not
}

TEST_F(IdentityTest, AChangedRoleAndAnEndedMembershipCountAtOnce) {
  const OpenedSession session = sign_in(bea_.key);
  EXPECT_EQ(identity_->principal_of_session(session.cookie)->role, Role::kAnnotator);
  identity_->write([&](Transaction& tx) {
    identity_->set_role(tx, Role::kManager, organisation_.key, bea_.id, Role::kReviewer);
  });
  EXPECT_EQ(identity_->principal_of_session(session.cookie)->role, Role::kReviewer);
  const auto token = identity_->write([&](Transaction& tx) {
    return identity_->add_token(tx, organisation_.key, bea_.key, "t", Scopes::all(), std::nullopt);
  });
  EXPECT_NE(identity_->principal_of_token(token.secret), nullptr);
  identity_->write([&](Transaction& tx) {
    identity_->end_membership(tx, Role::kManager, organisation_.key, bea_.id);
  });
  EXPECT_EQ(identity_->principal_of_session(session.cookie), nullptr);
  EXPECT_EQ(identity_->principal_of_token(token.secret), nullptr);
  EXPECT_EQ(code_of([&] { try_password("correct horse"); }), ErrorCode::kUnauthenticated);
}

TEST_F(IdentityTest, OnlyOwnersMakeAndUnmakeOwnersAndTheLastOneStays) {
  const auto change = [&](Role actor, const PersonRecord& whose, Role role) {
    return [=, this] {
      identity_->write([&](Transaction& tx) {
        identity_->set_role(tx, actor, organisation_.key, whose.id, role);
      });
    };
  };
  EXPECT_EQ(code_of(change(Role::kManager, bea_, Role::kOwner)), ErrorCode::kForbidden);
  EXPECT_EQ(code_of(change(Role::kManager, owner_, Role::kViewer)), ErrorCode::kForbidden);
  EXPECT_EQ(code_of(change(Role::kOwner, owner_, Role::kViewer)), ErrorCode::kConflict);
  change(Role::kOwner, bea_, Role::kOwner)();
  change(Role::kOwner, owner_, Role::kViewer)();
  EXPECT_EQ(code_of(change(Role::kOwner, bea_, Role::kViewer)), ErrorCode::kConflict);
}

TEST_F(IdentityTest, ATokenReachesWhatItsWordsSay) {
  const Scopes label = Scopes::parse("label read");
  EXPECT_TRUE(label.contains(Scope::kLabel));
  EXPECT_FALSE(label.contains(Scope::kImport));
  EXPECT_FALSE(label.contains(Scope::kAll));
  EXPECT_TRUE(Scopes::all().contains(Scope::kAll));
  EXPECT_TRUE(Scopes::all().contains(Scope::kImport));
  EXPECT_EQ(label.words(), "read label");
  EXPECT_EQ(code_of([] { Scopes::parse("labels"); }), ErrorCode::kInvalidInput);
  EXPECT_EQ(code_of([] { Scopes::parse(" "); }), ErrorCode::kInvalidInput);
  const auto token = identity_->write([&](Transaction& tx) {
    return identity_->add_token(tx, organisation_.key, bea_.key, "t", label, 2 * kDayMs);
  });
  ASSERT_NE(identity_->principal_of_token(token.secret), nullptr);
  EXPECT_EQ(identity_->principal_of_token(token.secret)->actor_id(), token.token.id);
  env_.advance_ms(2 * kDayMs);
  EXPECT_EQ(identity_->principal_of_token(token.secret), nullptr);
}

TEST_F(IdentityTest, ABoundSessionStaysInItsOrganisation) {
  OrganisationRecord elsewhere;
  identity_->write([&](Transaction& tx) {
    elsewhere = identity_->add_organisation(tx, identity_->new_organisation_id(), "Elsewhere");
    identity_->add_membership(tx, elsewhere.key, bea_.key, Role::kOwner);
  });
  const OpenedSession bound =
      identity_->sign_in_with_link(link_for(bea_.key, true), "p", "test", 0);
  const PrincipalPointer who = identity_->principal_of_session(bound.cookie);
  EXPECT_EQ(who->organisation_id, organisation_.id);
  EXPECT_EQ(code_of([&] {
              identity_->write([&](Transaction& tx) {
                identity_->switch_organisation(tx, *who, elsewhere.id, "test");
              });
            }),
            ErrorCode::kForbidden);
  // Here the session has ended with the membership, although there is another one.
  identity_->write([&](Transaction& tx) {
    identity_->end_membership(tx, Role::kOwner, organisation_.key, bea_.id);
  });
  EXPECT_EQ(identity_->principal_of_session(bound.cookie), nullptr);
  // With the password the way is free.
  const OpenedSession free = try_password("correct horse");
  EXPECT_EQ(identity_->principal_of_session(free.cookie)->organisation_id, elsewhere.id);
}

TEST_F(IdentityTest, AnInvitationIsForOneAndForAWeek) {
  const PrincipalPointer ada = identity_->principal_of_session(sign_in(owner_.key).cookie);
  const auto invite = [&] {
    return identity_->write([&](Transaction& tx) {
      return identity_->add_invitation(tx, *ada,
                                       {.role = Role::kReviewer, .name = "Cy", .email = {}});
    });
  };
  const auto open = [&](const std::string& token) {
    return identity_->read(
        [&](store::Connection& db) { return identity_->open_invitation(db, token); });
  };
  const auto used = invite();
  EXPECT_EQ(open(used.token).role, Role::kReviewer);
  identity_->write([&](Transaction& tx) { identity_->use_invitation(tx, used.invitation.key); });
  EXPECT_EQ(code_of([&] { open(used.token); }), ErrorCode::kNotFound);
  EXPECT_EQ(code_of([&] {
              identity_->write(
                  [&](Transaction& tx) { identity_->use_invitation(tx, used.invitation.key); });
            }),
            ErrorCode::kNotFound);
  const auto withdrawn = invite();
  identity_->write([&](Transaction& tx) {
    identity_->revoke_invitation(tx, organisation_.key, withdrawn.invitation.id);
  });
  EXPECT_EQ(code_of([&] { open(withdrawn.token); }), ErrorCode::kNotFound);
  const auto old = invite();
  env_.advance_ms(kInvitationLifeMs);
  EXPECT_EQ(code_of([&] { open(old.token); }), ErrorCode::kNotFound);
}

TEST_F(IdentityTest, PasswordsAreBoundedInCharactersAndTheRefusalSaysHowMany) {
  const auto of = [](size_t characters) {
    std::string all;
    for (size_t i = 0; i < characters; ++i) all += "\xf0\x9f\x90\x8e";  // four bytes each
    return all;
  };
  Identity::check_password(of(kPasswordCharsMin));
  Identity::check_password(of(kPasswordCharsMax));
  EXPECT_EQ(code_of([&] { Identity::check_password(of(kPasswordCharsMin - 1)); }),
            ErrorCode::kInvalidInput);
  const Error too_long = error_from([&] { Identity::check_password(of(kPasswordCharsMax + 1)); });
  EXPECT_EQ(too_long.code(), ErrorCode::kInvalidInput);
  EXPECT_NE(std::string(too_long.what()).find("1001 characters; choose one of at most 1000"),
            std::string::npos)
      << too_long.what();
}

TEST_F(IdentityTest, AddressesAreReadWithTheirNoiseAndRefusedWhenTheyAreNone) {
  EXPECT_EQ(Identity::normalised_email(" Ann@Example.Org "), "ann@example.org");
  for (const char* bad : {"", " ", "ann", "@x", "x@", "a b@c", "a@b\n", "a@<b>", "a,b@c"}) {
    EXPECT_EQ(code_of([&] { Identity::normalised_email(bad); }), ErrorCode::kInvalidInput) << bad;
  }
}

}  // namespace
}  // namespace hone::label
