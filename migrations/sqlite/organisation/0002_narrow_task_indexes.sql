-- task had two unique indexes in random order, of 30 and 16 bytes a key: at a million tasks 100 MB, of which an
-- import wrote most again with every batch (14 GB for 0.8 GB of tasks). What is looked up by them is
-- found as well by the first signs: 25 random bits of the public id, 32 of the content's digest; the few
-- rows that share them are compared. That a project has a content once is seen to by insert_tasks, in
-- the one writer; that a public id is one person's only, by its 128 bits.
--
-- SQLite drops no UNIQUE, so the table is made again. Its rows are inserted under their ids, which is
-- what makes the references of the other tables whole before the commit.
PRAGMA defer_foreign_keys = ON;
CREATE INDEX flag_of_task ON flag(task_id);  -- for finding them while the table goes and comes
CREATE TABLE task_before AS SELECT * FROM task;
DROP TABLE task;
CREATE TABLE task (
  id INTEGER PRIMARY KEY,                     -- keyset order; never shown
  public_id TEXT NOT NULL,                    -- tsk_…
  project_id INTEGER NOT NULL REFERENCES project(id),
  content_digest BLOB NOT NULL,               -- 16 bytes of the SHA-256 of the canonical content; once a project
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
  done_at_ms INTEGER
);
INSERT INTO task (id, public_id, project_id, content_digest, group_digest, import_id, external_id,
  language, priority, stage, state, slots, wanted, valid, leased, is_gold, split, created_at_ms,
  done_at_ms)
  SELECT id, public_id, project_id, content_digest, group_digest, import_id, external_id, language,
    priority, stage, state, slots, wanted, valid, leased, is_gold, split, created_at_ms, done_at_ms
  FROM task_before ORDER BY id;
DROP TABLE task_before;
DROP INDEX flag_of_task;
CREATE INDEX task_by_public_id ON task(substr(public_id, 5, 5));
CREATE INDEX task_by_content ON task(project_id, substr(content_digest, 1, 4));
-- As before: the queue is what may be given out, in the order in which it is given out.
CREATE INDEX task_queue ON task(project_id, priority DESC, id) WHERE state = 'open' AND slots > 0 AND is_gold = 0;
CREATE INDEX task_gold ON task(project_id, id) WHERE is_gold = 1;
CREATE INDEX task_by_project ON task(project_id, id);
CREATE INDEX task_by_state ON task(project_id, state, id);
-- What an export reads when nobody asks for tasks without labels.
CREATE INDEX task_labelled ON task(project_id, id) WHERE valid > 0;
