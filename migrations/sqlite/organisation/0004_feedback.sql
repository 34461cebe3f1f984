-- What people say of served answers, and where it goes (docs/data_model.md, docs/formats/answer.md).

-- Answers whose request consented to being stored ("store": true): they outlive the process, for as many
-- hours as completions are kept. Others are in memory alone.
CREATE TABLE completion (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL UNIQUE,             -- chatcmpl-…, cmpl-…
  body TEXT NOT NULL,                         -- a list of docs/formats/answer.md
  created_at_ms INTEGER NOT NULL
);
CREATE INDEX completion_by_age ON completion(created_at_ms);

CREATE TABLE feedback (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL UNIQUE,             -- fbk_…
  kind TEXT NOT NULL CHECK (kind IN ('thumbs','comparison','edit','report')),
  completion TEXT NOT NULL,
  choice INTEGER NOT NULL DEFAULT 0,
  other TEXT NOT NULL DEFAULT '',             -- of a comparison: the right one
  other_choice INTEGER NOT NULL DEFAULT 0,
  verdict TEXT NOT NULL,                      -- up, down; left, right, tie, both_bad; edited; reported
  reason TEXT NOT NULL DEFAULT '',            -- one of a list, no free text
  member_id INTEGER NOT NULL REFERENCES member(id),
  given_by TEXT NOT NULL,                     -- usr_… or key_…
  consent INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('given','replaced','withdrawn')),
  created_at_ms INTEGER NOT NULL
);
CREATE INDEX feedback_by_state ON feedback(state, id);
CREATE INDEX feedback_by_completion ON feedback(completion, member_id);
CREATE INDEX feedback_by_member ON feedback(member_id);
-- What can be erased. The last three are empty without consent.
CREATE TABLE feedback_body (
  feedback_id INTEGER PRIMARY KEY REFERENCES feedback(id),
  comment TEXT NOT NULL DEFAULT '',
  edited TEXT NOT NULL DEFAULT '',
  models TEXT NOT NULL DEFAULT '[]',          -- names, for lists
  excerpt TEXT NOT NULL DEFAULT '',           -- of what was asked, for lists
  answers TEXT NOT NULL DEFAULT '[]',         -- docs/formats/answer.md, one or two
  erased_at_ms INTEGER
);

-- Which served answers become tasks of which project.
CREATE TABLE sampling_rule (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL UNIQUE,             -- rul_…
  name TEXT NOT NULL,
  model TEXT NOT NULL DEFAULT '',             -- of the answer; empty = any
  source TEXT NOT NULL,                       -- any, judged, thumbs_down, thumbs_up, edited, compared, reported
  share REAL NOT NULL,
  daily_cap INTEGER NOT NULL,
  project_id INTEGER NOT NULL REFERENCES project(id),
  is_on INTEGER NOT NULL DEFAULT 1,
  created_by TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL
);
-- An answer is looked at by a rule until it was drawn; what was drawn stands here once.
CREATE TABLE sampled (
  rule_id INTEGER NOT NULL REFERENCES sampling_rule(id),
  completion TEXT NOT NULL,
  choice INTEGER NOT NULL,
  outcome TEXT NOT NULL,                      -- task, duplicate, unfit; of a pair's second: beside
  task_id INTEGER REFERENCES task(id),
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (rule_id, completion, choice)
) WITHOUT ROWID;
CREATE INDEX sampled_by_day ON sampled(rule_id, at_ms);
CREATE INDEX sampled_of_completion ON sampled(completion);

-- Live labelling: whoever labels writes the prompt, and two models answer. No row = not live.
CREATE TABLE live_setting (
  project_id INTEGER PRIMARY KEY REFERENCES project(id),
  body TEXT NOT NULL,                         -- docs/api.md, "Live labelling": two sides, by model
  changed_by TEXT NOT NULL,
  changed_at_ms INTEGER NOT NULL
);
