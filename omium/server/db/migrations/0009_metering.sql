-- Metering: what executions set aside and are charged.
--
-- An execution that is metered has a meter: who pays, by which prices, how far its steps are in the journal
-- (`posted_steps`), and all that it was charged. While it runs it has an open hold whose purpose is its id; the hold
-- pays for its steps up to `covered_steps`, so a recorded step costs no statement more: the number of completed
-- steps is compared, and only at the end of the cover is anything written (docs/decisions/150-steps-are-captured-by-counting.md).
-- An execution without `covered_steps` is not metered.

ALTER TABLE executions ADD COLUMN covered_steps {int64};

CREATE TABLE execution_meters (
  execution_id             {text}  NOT NULL PRIMARY KEY REFERENCES executions (id) ON DELETE CASCADE,
  tenant_id                {text}  NOT NULL,
  api_key_id               {text},
  price_version            {int64} NOT NULL,
  execution_microcredits   {int64} NOT NULL CHECK (execution_microcredits >= 0),
  step_microcredits        {int64} NOT NULL CHECK (step_microcredits >= 0),
  tranche_microcredits     {int64} NOT NULL CHECK (tranche_microcredits >= 0),
  limit_microcredits       {int64},
  posted_steps             {int64} NOT NULL,
  charged_microcredits     {int64} NOT NULL
) {clustered};

-- Usage that no price was known for when it was reported: it's charged as soon as the book has one.
CREATE TABLE unpriced_usage (
  tenant_id     {text}  NOT NULL,
  usage_id      {text}  NOT NULL,
  execution_id  {text},
  tried_version {int64} NOT NULL,
  at_us         {int64} NOT NULL,
  PRIMARY KEY (tenant_id, usage_id)
) {clustered};
CREATE INDEX unpriced_usage_by_execution ON unpriced_usage (execution_id) WHERE execution_id IS NOT NULL;
CREATE INDEX unpriced_usage_by_version ON unpriced_usage (tried_version, tenant_id, usage_id);

-- Not by the moment of the pause: an index that follows what every write changes would cost each of them.
CREATE INDEX executions_out_of_credits ON executions (id)
  WHERE status = 'paused' AND reason = 'credits' AND driver = 'worker';
