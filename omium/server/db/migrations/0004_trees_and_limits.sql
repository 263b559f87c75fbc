-- Cancels of whole trees, page by page, and what an execution may use up beside its steps.
--
-- A row of `tree_cancels` says that the children of an execution are still to be asked to stop, from `after` on; it
-- goes with the last of them. `ran_us` is the time for which drivers have held the execution before `run_since_us`.

CREATE TABLE tree_cancels (
  execution_id      {text}  NOT NULL PRIMARY KEY REFERENCES executions (id) ON DELETE CASCADE,
  tenant_id         {text}  NOT NULL,
  requested_by      {text}  NOT NULL,
  comment           {text}  NOT NULL,
  after_created_us  {int64} NOT NULL,
  after_id          {text}  NOT NULL,
  created_us        {int64} NOT NULL
) {strict};
CREATE INDEX tree_cancels_by_age ON tree_cancels (created_us, execution_id);

CREATE INDEX executions_open_children ON executions (parent_id, created_us, id)
  WHERE parent_id IS NOT NULL AND ended_us IS NULL;
DROP INDEX executions_by_starter;
CREATE INDEX executions_by_starter ON executions (started_by, created_us, id) WHERE ended_us IS NULL;

ALTER TABLE executions ADD COLUMN max_duration_us {int64};
ALTER TABLE executions ADD COLUMN max_payload_bytes {int64};
ALTER TABLE executions ADD COLUMN ran_us {int64} NOT NULL DEFAULT 0;
ALTER TABLE executions ADD COLUMN run_since_us {int64};
ALTER TABLE executions ADD COLUMN payload_bytes {int64} NOT NULL DEFAULT 0;
