-- What a key may ask of models and how much (docs/serving.md "Keys"), and what was used (src/usage).

ALTER TABLE access_token ADD COLUMN models TEXT NOT NULL DEFAULT '[]';       -- names; [] = all
ALTER TABLE access_token ADD COLUMN requests_per_day INTEGER;                -- NULL = no bound
ALTER TABLE access_token ADD COLUMN tokens_per_day INTEGER;                  -- NULL = no bound
ALTER TABLE access_token ADD COLUMN weight REAL NOT NULL DEFAULT 1;          -- of its turns
ALTER TABLE access_token ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;     -- higher goes first

-- Sums; a row a key, model and UTC day.
CREATE TABLE usage_day (
  organisation TEXT NOT NULL,                     -- org_…; '' = none
  day INTEGER NOT NULL,                           -- days since 1970-01-01
  key TEXT NOT NULL,                              -- key_… or usr_…
  model TEXT NOT NULL,                            -- the name of what answered
  requests INTEGER NOT NULL DEFAULT 0,
  prompt_tokens INTEGER NOT NULL DEFAULT 0,       -- those from the cache too
  cached_tokens INTEGER NOT NULL DEFAULT 0,
  completion_tokens INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (organisation, day, key, model)
) WITHOUT ROWID;
CREATE INDEX usage_day_by_key ON usage_day(key, day);
