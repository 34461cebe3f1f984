-- control.db: who people are, where they belong, how they prove it, and what runs in the background.
-- Everything said inside an organisation lies in its own database (organisation/0001_labels.sql).
-- Times are UTC milliseconds; public ids are random (docs/data_model.md).

CREATE TABLE organisation (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL UNIQUE,             -- org_…; also its folder under orgs/
  name TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  closed_at_ms INTEGER
);

CREATE TABLE person (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL UNIQUE,             -- usr_…
  name TEXT NOT NULL,
  email_digest TEXT UNIQUE,                   -- keyed digest of the lower-case address: what sign-in looks up
  email_sealed BLOB,                          -- the address under the key file, for showing it
  password_hash TEXT,                         -- Argon2id; NULL = signs in by link only
  locale TEXT NOT NULL DEFAULT 'en',
  is_operator INTEGER NOT NULL DEFAULT 0,     -- may create organisations on this installation
  created_at_ms INTEGER NOT NULL,
  disabled_at_ms INTEGER
);

CREATE TABLE membership (
  person_id INTEGER NOT NULL REFERENCES person(id),
  organisation_id INTEGER NOT NULL REFERENCES organisation(id),
  role TEXT NOT NULL CHECK (role IN ('owner','manager','reviewer','annotator','viewer')),
  created_at_ms INTEGER NOT NULL,
  ended_at_ms INTEGER,
  PRIMARY KEY (person_id, organisation_id)
) WITHOUT ROWID;
CREATE INDEX membership_by_organisation ON membership(organisation_id, person_id);

CREATE TABLE session (
  id INTEGER PRIMARY KEY,
  token_digest TEXT NOT NULL UNIQUE,          -- of the cookie; the cookie itself is nowhere
  csrf_token TEXT NOT NULL,
  person_id INTEGER NOT NULL REFERENCES person(id),
  organisation_id INTEGER REFERENCES organisation(id),
  created_at_ms INTEGER NOT NULL,
  last_seen_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  is_bound INTEGER NOT NULL DEFAULT 0,        -- from a link that a manager made: this organisation only
  user_agent TEXT NOT NULL DEFAULT ''
);
CREATE INDEX session_by_person ON session(person_id);

CREATE TABLE access_token (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL UNIQUE,             -- key_…
  token_digest TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  person_id INTEGER NOT NULL REFERENCES person(id),
  organisation_id INTEGER NOT NULL REFERENCES organisation(id),
  scope TEXT NOT NULL DEFAULT 'all',          -- space-separated words: all read label import export train serve
  created_at_ms INTEGER NOT NULL,
  last_used_at_ms INTEGER,
  expires_at_ms INTEGER,
  revoked_at_ms INTEGER
);
CREATE INDEX access_token_by_organisation ON access_token(organisation_id, id);

-- Single-use, 15 minutes, consumed by POST (decisions 4.3).
CREATE TABLE sign_in_link (
  token_digest TEXT PRIMARY KEY,
  person_id INTEGER NOT NULL REFERENCES person(id),
  organisation_id INTEGER REFERENCES organisation(id),
  expires_at_ms INTEGER NOT NULL,
  is_bound INTEGER NOT NULL DEFAULT 0,        -- made by somebody else than the operator: the session is bound
  used_at_ms INTEGER
) WITHOUT ROWID;

CREATE TABLE invitation (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL UNIQUE,             -- inv_…
  organisation_id INTEGER NOT NULL REFERENCES organisation(id),
  token_digest TEXT NOT NULL UNIQUE,
  role TEXT NOT NULL,
  name TEXT NOT NULL DEFAULT '',
  email_sealed BLOB,
  skills TEXT NOT NULL DEFAULT '[]',
  languages TEXT NOT NULL DEFAULT '[]',
  invited_by INTEGER NOT NULL REFERENCES person(id),
  created_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  accepted_at_ms INTEGER,
  revoked_at_ms INTEGER
);
CREATE INDEX invitation_by_organisation ON invitation(organisation_id, id);

-- Guessing: failures by what was tried (digest of the address) and by where from (peer address).
CREATE TABLE sign_in_failure (
  key TEXT PRIMARY KEY,
  failures INTEGER NOT NULL,
  first_at_ms INTEGER NOT NULL,
  locked_until_ms INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- Answers to writes that may be repeated (docs/api.md); 24 hours.
CREATE TABLE idempotency (
  principal TEXT NOT NULL,
  route TEXT NOT NULL,
  key TEXT NOT NULL,
  request_digest TEXT NOT NULL,
  status INTEGER NOT NULL,
  body TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (principal, route, key)
) WITHOUT ROWID;
CREATE INDEX idempotency_by_time ON idempotency(created_at_ms);
