-- Slots of concurrency keys that steps of drivers have, or wait for. The keys are those of `concurrency_slots`, whose
-- `used` counts these too. `most` is the limit that the step says. A slot that was handed over to whoever waits is
-- void from `confirm_us` of the lease clock on, unless its driver has said by then that it takes it.
CREATE TABLE step_slots (
  execution_id  {text}  NOT NULL REFERENCES executions (id) ON DELETE CASCADE,
  path          {text}  NOT NULL,
  tenant_id     {text}  NOT NULL,
  environment   {text}  NOT NULL,
  key           {text}  NOT NULL,
  most          {int64} NOT NULL,
  held          {int64} NOT NULL,
  attempt       {int64} NOT NULL,
  epoch         {int64} NOT NULL,
  asked_us      {int64} NOT NULL,
  confirm_us    {int64},
  PRIMARY KEY (execution_id, path)
) {strict};
CREATE INDEX step_slots_of_key ON step_slots (tenant_id, environment, key, held, asked_us);
