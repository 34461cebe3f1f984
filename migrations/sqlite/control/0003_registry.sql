-- Models by name and digest, aliases that move between them, and why they moved (src/registry,
-- docs/serving.md). Files stay where they are; a digest says whether they are still the same.

CREATE TABLE model (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL UNIQUE,                 -- mdl_…
  organisation_id INTEGER REFERENCES organisation(id),  -- NULL = shared by all: bases only
  name TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('base','adapter')),
  parent_id INTEGER REFERENCES model(id),         -- an adapter's base
  path TEXT NOT NULL,                             -- absolute, as the operator named it
  digest TEXT NOT NULL,                           -- docs/formats/digest.md
  origin TEXT NOT NULL DEFAULT '{}',              -- {"run", "snapshot", "data"}: where it came from
  created_by TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  retired_at_ms INTEGER,
  CHECK (organisation_id IS NOT NULL OR kind = 'base'),
  CHECK ((kind = 'adapter') = (parent_id IS NOT NULL))
);
CREATE UNIQUE INDEX model_by_name ON model(coalesce(organisation_id, 0), name) WHERE retired_at_ms IS NULL;

CREATE TABLE alias (
  id INTEGER PRIMARY KEY,
  organisation_id INTEGER NOT NULL REFERENCES organisation(id),
  name TEXT NOT NULL,
  version INTEGER NOT NULL DEFAULT 0,             -- the one that answers; 0 = none yet
  gate TEXT,                                      -- JSON; NULL = moves by hand
  created_at_ms INTEGER NOT NULL,
  UNIQUE (organisation_id, name)
);

-- Never changed: what an alias meant.
CREATE TABLE alias_version (
  alias_id INTEGER NOT NULL REFERENCES alias(id),
  version INTEGER NOT NULL,
  previous INTEGER NOT NULL,                      -- the version it took over from; 0 = none
  targets TEXT NOT NULL,                          -- [{"model": mdl_…, "weight": w}]
  created_by TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (alias_id, version)
) WITHOUT ROWID;

-- Never changed: every decision with its evidence, those that moved nothing too.
CREATE TABLE promotion (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL UNIQUE,                 -- prm_…
  alias_id INTEGER NOT NULL REFERENCES alias(id),
  candidate_id INTEGER REFERENCES model(id),
  outcome TEXT NOT NULL CHECK (outcome IN ('promoted','kept','worse','too_few','by_hand','split','rolled_back')),
  from_version INTEGER NOT NULL,
  to_version INTEGER NOT NULL,                    -- the same as from_version where nothing moved
  reason TEXT NOT NULL DEFAULT '',
  evidence TEXT NOT NULL DEFAULT '{}',
  created_by TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL
);
CREATE INDEX promotion_by_alias ON promotion(alias_id, id);
