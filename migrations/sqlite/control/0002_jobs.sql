-- What runs in the background: imports, exports, training (store/job_queue.h says how a row moves).
CREATE TABLE job (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL UNIQUE,             -- job_…
  kind TEXT NOT NULL,
  organisation TEXT NOT NULL,                 -- org_…; '' is the installation's own
  payload TEXT NOT NULL,                      -- JSON, the kind's own
  unique_key TEXT,                            -- of one key at most one job is queued or running
  state TEXT NOT NULL CHECK (state IN ('queued','running','done','failed','cancelled')),
  priority INTEGER NOT NULL DEFAULT 0,        -- larger first
  attempts INTEGER NOT NULL DEFAULT 0,        -- how often it was claimed
  attempts_max INTEGER NOT NULL,
  not_before_ms INTEGER NOT NULL,
  worker TEXT NOT NULL DEFAULT '',            -- who runs it, or ran it last
  lease_until_ms INTEGER NOT NULL DEFAULT 0,  -- a running job whose lease is over is abandoned
  cancel_at_ms INTEGER,                       -- when somebody asked it to stop
  fraction REAL NOT NULL DEFAULT 0,
  progress_text TEXT NOT NULL DEFAULT '',
  progress TEXT NOT NULL DEFAULT '{}',        -- JSON: what a later attempt goes on from
  result TEXT NOT NULL DEFAULT '{}',
  error_code TEXT NOT NULL DEFAULT '',
  error TEXT NOT NULL DEFAULT '',
  created_by TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  started_at_ms INTEGER,
  finished_at_ms INTEGER
);
CREATE UNIQUE INDEX job_unfinished_key ON job(kind, organisation, unique_key)
  WHERE unique_key IS NOT NULL AND state IN ('queued','running');
CREATE INDEX job_queued ON job(priority DESC, id) WHERE state = 'queued';
CREATE INDEX job_running ON job(lease_until_ms) WHERE state = 'running';
CREATE INDEX job_by_organisation ON job(organisation, id);
CREATE INDEX job_finished ON job(finished_at_ms) WHERE finished_at_ms IS NOT NULL;
