-- org.db: everything said in one organisation. docs/data_model.md has the picture.
-- Rows that people wrote hold no history of their own: `event` has it. Texts lie in *_body tables, out
-- of every index's way, and can be erased without breaking the chain of events.

CREATE TABLE organisation_info (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  public_id TEXT NOT NULL,
  digest_salt BLOB NOT NULL,                  -- salts the digests of texts in events
  created_at_ms INTEGER NOT NULL
);

-- A person as this organisation knows them. Roles are control.db's; what matters for work is here.
CREATE TABLE member (
  id INTEGER PRIMARY KEY,
  person_id TEXT NOT NULL UNIQUE,             -- usr_…
  name TEXT NOT NULL,
  pseudonym TEXT NOT NULL UNIQUE,             -- what clients (viewers) and exports see
  languages TEXT NOT NULL DEFAULT '[]',       -- JSON list of BCP 47 tags; empty = any
  tier INTEGER NOT NULL DEFAULT 0,
  is_paused INTEGER NOT NULL DEFAULT 0,
  created_at_ms INTEGER NOT NULL
);
CREATE TABLE member_skill (
  member_id INTEGER NOT NULL REFERENCES member(id),
  skill TEXT NOT NULL,
  PRIMARY KEY (member_id, skill)
) WITHOUT ROWID;

CREATE TABLE project (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL UNIQUE,             -- prj_…
  name TEXT NOT NULL,
  task_type TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open','paused','finished','archived')),
  schema_version INTEGER NOT NULL,
  guideline_version INTEGER NOT NULL,
  overlap INTEGER NOT NULL,                   -- valid annotations a task needs; adaptive: at least
  overlap_max INTEGER NOT NULL,               -- = overlap when not adaptive
  stop_probability REAL NOT NULL,             -- adaptive: done when the largest posterior reaches it
  lease_seconds INTEGER NOT NULL,
  gold_share REAL NOT NULL DEFAULT 0,         -- chance that the next task is a gold task
  is_blind INTEGER NOT NULL DEFAULT 1,        -- annotators see neither others' answers nor model names
  skills TEXT NOT NULL DEFAULT '[]',          -- every one is needed
  settings TEXT NOT NULL DEFAULT '{}',        -- what is only shown or rarely read
  split_state TEXT NOT NULL DEFAULT 'none' CHECK (split_state IN ('none','frozen')),
  split_seed TEXT NOT NULL DEFAULT '',        -- with the fraction it says the split of every group,
  heldout_fraction REAL NOT NULL DEFAULT 0,   -- also of those that are imported after freezing
  -- Counters, moved in the transaction that moves what they count.
  tasks INTEGER NOT NULL DEFAULT 0,
  tasks_done INTEGER NOT NULL DEFAULT 0,      -- done or undecided
  annotations INTEGER NOT NULL DEFAULT 0,     -- valid
  surplus INTEGER NOT NULL DEFAULT 0,
  skips INTEGER NOT NULL DEFAULT 0,
  flags_open INTEGER NOT NULL DEFAULT 0,
  created_by TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  version INTEGER NOT NULL DEFAULT 1          -- moves with every change by a person; the ETag
);

CREATE TABLE task_schema (
  project_id INTEGER NOT NULL REFERENCES project(id),
  version INTEGER NOT NULL,
  body TEXT NOT NULL,                         -- docs/formats/task_schema.md
  created_by TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (project_id, version)
);
CREATE TABLE guideline (
  project_id INTEGER NOT NULL REFERENCES project(id),
  version INTEGER NOT NULL,
  body TEXT NOT NULL,                         -- markdown
  created_by TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (project_id, version)
);
-- Who may label what; no row for a project = every member whose role and skills allow it.
CREATE TABLE project_member (
  project_id INTEGER NOT NULL REFERENCES project(id),
  member_id INTEGER NOT NULL REFERENCES member(id),
  PRIMARY KEY (project_id, member_id)
) WITHOUT ROWID;

CREATE TABLE import (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL UNIQUE,             -- imp_…
  project_id INTEGER NOT NULL REFERENCES project(id),
  name TEXT NOT NULL,                         -- the file's
  format TEXT NOT NULL,
  columns TEXT NOT NULL DEFAULT '{}',         -- column -> role, as confirmed
  state TEXT NOT NULL CHECK (state IN ('running','done','failed')),
  bytes_done INTEGER NOT NULL DEFAULT 0,      -- a resumed import goes on behind the last whole row
  prefix_digest TEXT NOT NULL DEFAULT '',     -- SHA-256 of those bytes: resumed with this file only
  rows INTEGER NOT NULL DEFAULT 0,
  created INTEGER NOT NULL DEFAULT 0,
  duplicates INTEGER NOT NULL DEFAULT 0,
  errors INTEGER NOT NULL DEFAULT 0,
  first_errors TEXT NOT NULL DEFAULT '[]',
  created_by TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  finished_at_ms INTEGER
);

CREATE TABLE task (
  id INTEGER PRIMARY KEY,                     -- keyset order; never shown
  public_id TEXT NOT NULL UNIQUE,             -- tsk_…
  project_id INTEGER NOT NULL REFERENCES project(id),
  content_digest BLOB NOT NULL,               -- 16 bytes of the SHA-256 of the canonical content
  group_digest BLOB NOT NULL,                 -- the same of the prompt alone: splits never cut a group
  import_id INTEGER REFERENCES import(id),
  external_id TEXT,                           -- the row's own id, when it had one
  language TEXT NOT NULL DEFAULT '',
  priority INTEGER NOT NULL DEFAULT 0,        -- larger first
  stage TEXT NOT NULL DEFAULT 'attempt',      -- review and audit come later
  state TEXT NOT NULL CHECK (state IN ('open','done','undecided','cancelled')),
  slots INTEGER NOT NULL,                     -- places nobody holds: wanted - valid - leased
  wanted INTEGER NOT NULL,                    -- valid annotations wanted by now (adaptive moves it)
  valid INTEGER NOT NULL DEFAULT 0,
  leased INTEGER NOT NULL DEFAULT 0,
  is_gold INTEGER NOT NULL DEFAULT 0,         -- given by gold_share, apart from the queue; never in a view
  split TEXT NOT NULL DEFAULT '',             -- '', train, heldout
  created_at_ms INTEGER NOT NULL,
  done_at_ms INTEGER,
  UNIQUE (project_id, content_digest)
);
CREATE TABLE task_body (
  task_id INTEGER PRIMARY KEY REFERENCES task(id),
  body TEXT NOT NULL,                         -- {prompt, responses: [{response_id, text, model}], …}
  erased_at_ms INTEGER
);
-- The queue: what may be given out, in the order in which it is given out.
CREATE INDEX task_queue ON task(project_id, priority DESC, id) WHERE state = 'open' AND slots > 0 AND is_gold = 0;
CREATE INDEX task_gold ON task(project_id, id) WHERE is_gold = 1;
CREATE INDEX task_by_project ON task(project_id, id);
CREATE INDEX task_by_state ON task(project_id, state, id);

CREATE TABLE gold (
  task_id INTEGER PRIMARY KEY REFERENCES task(id),
  answer TEXT NOT NULL,
  explanation TEXT NOT NULL DEFAULT '',
  created_by TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL
);

-- One person, one task, one stage: at most one assignment, ever.
CREATE TABLE assignment (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL UNIQUE,             -- asn_…
  project_id INTEGER NOT NULL REFERENCES project(id),
  task_id INTEGER NOT NULL REFERENCES task(id),
  member_id INTEGER NOT NULL REFERENCES member(id),
  stage TEXT NOT NULL DEFAULT 'attempt',
  state TEXT NOT NULL CHECK (state IN ('leased','submitted','skipped','expired','released')),
  shown_order TEXT NOT NULL,                  -- import indices in the order shown: "1,0"
  guideline_version INTEGER NOT NULL,
  schema_version INTEGER NOT NULL,
  leased_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  ended_at_ms INTEGER,
  UNIQUE (task_id, member_id, stage)
);
CREATE INDEX assignment_leased ON assignment(expires_at_ms) WHERE state = 'leased';
CREATE INDEX assignment_of_member ON assignment(member_id, project_id, state, id);

CREATE TABLE draft (
  assignment_id INTEGER PRIMARY KEY REFERENCES assignment(id),
  body TEXT NOT NULL,
  saved_at_ms INTEGER NOT NULL
);

CREATE TABLE annotation (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL UNIQUE,             -- ann_…
  project_id INTEGER NOT NULL REFERENCES project(id),
  task_id INTEGER NOT NULL REFERENCES task(id),
  member_id INTEGER NOT NULL REFERENCES member(id),
  assignment_id INTEGER NOT NULL REFERENCES assignment(id),
  revision INTEGER NOT NULL,                  -- 1, 2, … of one assignment (undo and answer again)
  status TEXT NOT NULL CHECK (status IN ('valid','surplus','withdrawn','rejected')),
  choice TEXT NOT NULL DEFAULT '',            -- the main question's answer as a class, in import order:
                                              -- pairwise first|second|tie|both_bad
  shown_order TEXT NOT NULL,
  guideline_version INTEGER NOT NULL,
  schema_version INTEGER NOT NULL,
  active_ms INTEGER NOT NULL DEFAULT 0,       -- the browser's: hands on the task
  wall_ms INTEGER NOT NULL DEFAULT 0,         -- the server's: lease to answer
  created_at_ms INTEGER NOT NULL,
  UNIQUE (assignment_id, revision)
);
CREATE INDEX annotation_by_project ON annotation(project_id, id);
CREATE INDEX annotation_by_task ON annotation(task_id);
CREATE INDEX annotation_by_member ON annotation(member_id, project_id, id);
CREATE TABLE annotation_body (
  annotation_id INTEGER PRIMARY KEY REFERENCES annotation(id),
  answer TEXT NOT NULL,                       -- by question name, response ids inside
  rationale TEXT NOT NULL DEFAULT '',
  erased_at_ms INTEGER
);

CREATE TABLE skip (
  assignment_id INTEGER PRIMARY KEY REFERENCES assignment(id),
  reason TEXT NOT NULL,
  comment TEXT NOT NULL DEFAULT '',
  created_at_ms INTEGER NOT NULL
);
CREATE TABLE flag (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL UNIQUE,             -- flg_…
  project_id INTEGER NOT NULL REFERENCES project(id),
  task_id INTEGER NOT NULL REFERENCES task(id),
  member_id INTEGER NOT NULL REFERENCES member(id),
  reason TEXT NOT NULL,
  comment TEXT NOT NULL DEFAULT '',
  created_at_ms INTEGER NOT NULL,
  resolved_at_ms INTEGER,
  resolved_by TEXT
);
CREATE INDEX flag_open ON flag(project_id, id) WHERE resolved_at_ms IS NULL;
CREATE INDEX flag_by_task ON flag(task_id) WHERE resolved_at_ms IS NULL;

CREATE TABLE snapshot (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL UNIQUE,             -- snp_…; its files lie in snapshots/<public_id>/
  project_id INTEGER NOT NULL REFERENCES project(id),
  name TEXT NOT NULL,
  format TEXT NOT NULL,                       -- preferences sft unpaired annotations
  filter TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('making','ready','failed')),
  rows_train INTEGER NOT NULL DEFAULT 0,
  rows_heldout INTEGER NOT NULL DEFAULT 0,
  annotations INTEGER NOT NULL DEFAULT 0,
  digest TEXT NOT NULL DEFAULT '',            -- artefact digest over its files
  created_by TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL
);
CREATE TABLE snapshot_annotation (            -- which labels a model will have seen; what erasure must name
  snapshot_id INTEGER NOT NULL REFERENCES snapshot(id),
  annotation_id INTEGER NOT NULL REFERENCES annotation(id),
  PRIMARY KEY (snapshot_id, annotation_id)
) WITHOUT ROWID;

CREATE TABLE run (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL UNIQUE,             -- run_…; its folder is runs/<public_id>/
  project_id INTEGER NOT NULL REFERENCES project(id),
  snapshot_id INTEGER NOT NULL REFERENCES snapshot(id),
  name TEXT NOT NULL,
  method TEXT NOT NULL,
  settings TEXT NOT NULL,
  model TEXT NOT NULL,                        -- the operator's name for it
  state TEXT NOT NULL CHECK (state IN ('queued','running','done','failed','cancelled')),
  phase TEXT NOT NULL DEFAULT '',
  result TEXT NOT NULL DEFAULT '{}',          -- proof: reports, verdict, digests
  error TEXT NOT NULL DEFAULT '',
  job_id TEXT NOT NULL DEFAULT '',
  created_by TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  finished_at_ms INTEGER
);
CREATE INDEX run_by_project ON run(project_id, id);

-- Every change of state: who, when, from what to what. Ids and salted digests only, never a text.
-- hash = SHA-256(previous hash || canonical JSON of the row without id and hash).
CREATE TABLE event (
  id INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  actor TEXT NOT NULL,                        -- usr_…, key_…, system
  kind TEXT NOT NULL,                         -- annotation.submitted, project.changed, …
  object TEXT NOT NULL,                       -- the public id of what changed
  project_id INTEGER,
  from_state TEXT NOT NULL DEFAULT '',
  to_state TEXT NOT NULL DEFAULT '',
  data TEXT NOT NULL DEFAULT '{}',
  hash BLOB NOT NULL
);
CREATE INDEX event_by_object ON event(object, id);
CREATE INDEX event_by_project ON event(project_id, id);
CREATE TRIGGER event_is_append_only BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER event_stays BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;

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
