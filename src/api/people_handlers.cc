// The people of an organisation. Their member rows lie in its own database, roles and addresses in
// control.db: what changes both writes the organisation first (decisions 2.7).
#include <algorithm>
#include <map>

#include "api/handlers.h"
#include "api/people_file.h"
#include "label/events.h"
#include "label/members.h"

namespace hone::api {
namespace {

using label::Permission;

struct PersonView {
  label::PersonRecord record;
  label::Member member;
  int64_t annotations = 0;
};

Json person_json(const PersonView& view, bool with_email) {
  Json body = Json::object();
  body["id"] = view.record.id;
  body["name"] = view.member.name;
  body["pseudonym"] = view.member.pseudonym;
  if (with_email) body["email"] = view.record.email.empty() ? Json() : Json(view.record.email);
  body["role"] = label::role_name(view.record.role);
  body["skills"] = texts_json(view.member.skills);
  body["languages"] = texts_json(view.member.languages);
  body["paused"] = view.member.paused;
  body["created_at"] = time_text(view.record.created_at_ms);
  body["last_seen_at"] = time_json(view.record.last_seen_at_ms);
  body["annotations"] = view.annotations;
  return body;
}

PersonView view_of(Call& call, const label::PersonRecord& record) {
  return call.organisation().read([&](store::Connection& db) {
    PersonView view{.record = record, .member = {}};
    if (auto member = label::find_member(db, record.id)) {
      view.member = std::move(*member);
      view.annotations = label::count_annotations_of(db, view.member.id);
    } else {
      view.member.name = record.name;
    }
    return view;
  });
}

label::PersonRecord find_person(Call& call) {
  label::Identity& identity = call.platform.identity();
  return identity.read([&](store::Connection& db) {
    return identity.person(db, call.who().organisation_key, call.id("person_id"));
  });
}

struct Wanted {
  std::string name;
  std::string email;
  label::Role role = label::Role::kAnnotator;
  std::vector<std::string> skills;
  std::vector<std::string> languages;
};

void require_owner_for_owner(const Call& call, label::Role role) {
  if (role == label::Role::kOwner && call.who().role != label::Role::kOwner) {
    throw Error(ErrorCode::kForbidden,
                "only an owner makes or unmakes owners; ask an owner of this organisation");
  }
}

struct Made {
  PersonView view;
  std::string link_token;
};

// The member row first, the person and the membership second.
Made make_person(Call& call, const Wanted& wanted) {
  require_owner_for_owner(call, wanted.role);
  label::Identity& identity = call.platform.identity();
  if (!wanted.email.empty()) {
    // add_person says it again inside its transaction; here no member row has been made yet.
    identity.read([&](store::Connection& db) {
      identity.require_free_email(db, call.who().organisation_key, wanted.email);
    });
  }
  label::Organisation& organisation = call.organisation();
  const label::Actor actor = call.actor();
  const std::string id = identity.new_person_id();
  Made made;
  made.view.member = organisation.write(store::Durability::kDisk, [&](store::Transaction& tx) {
    label::record_event(tx, call.now_ms(), actor,
                        {.kind = "person.added",
                         .object = id,
                         .project_id = std::nullopt,
                         .from = "",
                         .to = label::role_name(wanted.role)});
    return label::ensure_member(organisation, tx, actor,
                                {.person_id = id,
                                 .name = wanted.name,
                                 .skills = wanted.skills,
                                 .languages = wanted.languages});
  });
  identity.write([&](store::Transaction& tx) {
    made.view.record = identity.add_person(
        tx, call.who().organisation_key,
        {.id = id, .name = wanted.name, .email = wanted.email, .role = wanted.role});
    made.link_token =
        identity.make_sign_in_link(tx, made.view.record.key, call.who().organisation_key, true);
  });
  return made;
}

Json made_json(const Call& call, const Made& made) {
  Json body = Json::object();
  body["person"] = person_json(made.view, true);
  body["sign_in_link"] = page_link(call.request, "sign-in", made.link_token);
  return body;
}

}  // namespace

http::Response list_people(Call& call) {
  label::Identity& identity = call.platform.identity();
  const PageRequest page = read_page(call.request.query);
  const auto records = identity.read([&](store::Connection& db) {
    return identity.people(db, call.who().organisation_key, call.query("q"),
                           page.after.empty() ? 0 : page.after[0], page.limit + 1);
  });
  const size_t shown = std::min(records.size(), static_cast<size_t>(page.limit));
  const bool with_email = call.can(Permission::kPeopleManage);
  Json::Array items;
  for (size_t i = 0; i < shown; ++i) {
    items.push_back(person_json(view_of(call, records[i]), with_email));
  }
  std::optional<std::string> next;
  if (records.size() > shown) next = write_cursor({records[shown - 1].key});
  return json_response(200, page_body(std::move(items), next));
}

http::Response add_person(Call& call) {
  return once_over_both(call, [&]() -> Answer {
    const Wanted wanted = {
        .name = call.text("name"),
        .email = call.text("email"),
        .role = *label::role_from_name(call.text("role")),
        .skills = call.maybe_texts("skills").value_or(std::vector<std::string>()),
        .languages = call.maybe_texts("languages").value_or(std::vector<std::string>())};
    return {.status = 201, .body = made_json(call, make_person(call, wanted)), .has_secret = true};
  });
}

http::Response import_people(Call& call) {
  const PeopleFile file = read_people_file(call.request.body);
  return once_over_both(call, [&]() -> Answer {
    Json errors = Json::array();
    const auto refuse = [&](int64_t line, const std::string& reason) {
      Json error;
      error["line"] = line;
      error["reason"] = reason;
      errors.push_back(std::move(error));
    };
    for (const PeopleFile::BadLine& bad : file.bad_lines) refuse(bad.line, bad.reason);
    Json people = Json::array();
    int64_t created = 0;
    for (const PeopleFile::Row& row : file.rows) {
      try {
        const Made made = make_person(call, {.name = row.name,
                                             .email = row.email,
                                             .role = row.role,
                                             .skills = row.skills,
                                             .languages = row.languages});
        people.push_back(made_json(call, made));
        ++created;
      } catch (const Error& error) {
        if (error.code() == ErrorCode::kUnavailable || error.code() == ErrorCode::kInternal) throw;
        refuse(row.line, error.message());
      }
    }
    Json body = Json::object();
    body["created"] = created;
    body["errors"] = std::move(errors);
    body["people"] = std::move(people);
    return {.status = 200, .body = std::move(body), .has_secret = true};
  });
}

http::Response change_person(Call& call) {
  const label::PersonRecord before = find_person(call);
  const auto role_text = call.maybe_text("role");
  const label::Role role = role_text ? *label::role_from_name(*role_text) : before.role;
  label::Identity& identity = call.platform.identity();
  label::Organisation& organisation = call.organisation();
  const label::Actor actor = call.actor();
  return once_over_both(call, [&]() -> Answer {
    // Asked first, so that nothing is written when the last owner would go.
    identity.read([&](store::Connection& db) {
      identity.check_role_change(db, call.who().role, call.who().organisation_key, before.id, role);
    });
    label::MemberPatch patch;
    patch.name = call.maybe_text("name");
    patch.skills = call.maybe_texts("skills");
    patch.languages = call.maybe_texts("languages");
    patch.paused = call.maybe_bool("paused");
    organisation.write(store::Durability::kDisk, [&](store::Transaction& tx) {
      label::patch_member(organisation, tx, actor, before.id, patch);
      if (role == before.role) return;
      label::record_event(tx, call.now_ms(), actor,
                          {.kind = "person.role",
                           .object = before.id,
                           .project_id = std::nullopt,
                           .from = label::role_name(before.role),
                           .to = label::role_name(role)});
    });
    identity.write([&](store::Transaction& tx) {
      identity.set_role(tx, call.who().role, call.who().organisation_key, before.id, role);
      if (patch.name) {
        identity.rename_person(tx, call.who().organisation_key, before.id, *patch.name);
      }
    });
    return {.status = 200, .body = person_json(view_of(call, find_person(call)), true)};
  });
}

http::Response remove_person(Call& call) {
  label::Identity& identity = call.platform.identity();
  label::Organisation& organisation = call.organisation();
  const label::Actor actor = call.actor();
  return once_over_both(call, [&]() -> Answer {
    const label::PersonRecord person = find_person(call);
    identity.write([&](store::Transaction& tx) {
      identity.end_membership(tx, call.who().role, call.who().organisation_key, person.id);
    });
    call.platform.events().drop_person(person.id);
    organisation.write(store::Durability::kDisk, [&](store::Transaction& tx) {
      label::record_event(tx, call.now_ms(), actor,
                          {.kind = "person.removed",
                           .object = person.id,
                           .project_id = std::nullopt,
                           .from = label::role_name(person.role),
                           .to = ""});
    });
    return {.status = 204};
  });
}

http::Response make_person_link(Call& call) {
  label::Identity& identity = call.platform.identity();
  label::Organisation& organisation = call.organisation();
  const label::Actor actor = call.actor();
  return once_over_both(call, [&]() -> Answer {
    const label::PersonRecord person = find_person(call);
    identity.read(
        [&](store::Connection& db) { identity.check_link_for_member(db, call.who(), person.id); });
    // Said before the link exists: a link without its event must not be.
    organisation.write(store::Durability::kDisk, [&](store::Transaction& tx) {
      label::record_event(tx, call.now_ms(), actor,
                          {.kind = "person.link",
                           .object = person.id,
                           .project_id = std::nullopt,
                           .from = "",
                           .to = ""});
    });
    const std::string token = identity.write([&](store::Transaction& tx) {
      return identity.make_link_for_member(tx, call.who(), person.id);
    });
    Json body = Json::object();
    body["sign_in_link"] = page_link(call.request, "sign-in", token);
    return {.status = 200, .body = std::move(body), .has_secret = true};
  });
}

}  // namespace hone::api
