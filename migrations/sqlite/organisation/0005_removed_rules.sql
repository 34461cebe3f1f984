-- A rule that is removed is in no list and takes nothing; its row stays, since tasks say which rule took
-- them (docs/data_model.md).
ALTER TABLE sampling_rule ADD COLUMN removed_at_ms INTEGER;
