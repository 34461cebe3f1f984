-- A changed overlap reaches the tasks in pieces, each a transaction of its own: tasks up to this id have
-- the project's overlap; NULL when all of them have it.
ALTER TABLE project ADD COLUMN overlap_reached_task INTEGER;

-- The audit list by what happened and by who did it. The three kinds that labelling itself writes stand
-- all along the chain, so that a walk from its end finds them soon; the index of the others costs an
-- answer nothing.
CREATE INDEX event_by_kind ON event(kind, id)
  WHERE kind NOT IN ('assignment.leased', 'annotation.submitted', 'task.state_changed');
