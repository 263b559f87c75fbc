-- Sums of what has happened, by hour and later by day of UTC (docs/analytics.md).
--
-- Nothing is written twice on a hot path: the row that is counted says by itself, in the transaction that writes
-- it, that no sum has it yet (`summed` is NULL), and a sweep adds it up and sets the mark in one transaction. Who
-- reads adds the sums and the rows without a mark, in one snapshot. An execution that goes on after its end is
-- taken out again by whoever moves it; one that retention removes stays counted, in `removed` too.

ALTER TABLE executions ADD COLUMN summed {int64};
CREATE INDEX executions_unsummed ON executions (tenant_id, ended_us) WHERE ended_us IS NOT NULL AND summed IS NULL;
ALTER TABLE usage_records ADD COLUMN summed {int64};
CREATE INDEX usage_records_unsummed ON usage_records (tenant_id, at_us) WHERE summed IS NULL;
ALTER TABLE failure_occurrences ADD COLUMN summed {int64};
CREATE INDEX failure_occurrences_unsummed ON failure_occurrences (tenant_id, created_us) WHERE summed IS NULL;

-- Executions by when they ended. `bucket` is of the logarithmic histogram of how long they took.
CREATE TABLE execution_sums (
  tenant_id    {text}  NOT NULL,
  start_us     {int64} NOT NULL,
  width        {text}  NOT NULL CHECK (width IN ('hour', 'day')),
  environment  {text}  NOT NULL,
  workflow     {text}  NOT NULL,
  started_by   {text}  NOT NULL,
  status       {text}  NOT NULL,
  bucket       {int64} NOT NULL,
  executions   {int64} NOT NULL,
  removed      {int64} NOT NULL,
  steps        {int64} NOT NULL,
  took_us      {int64} NOT NULL,
  PRIMARY KEY (tenant_id, start_us, width, environment, workflow, started_by, status, bucket)
) {clustered};
CREATE INDEX execution_sums_by_age ON execution_sums (width, start_us);

-- What providers were used for, and what was charged; a charge that is no model's has an empty `model`.
CREATE TABLE usage_sums (
  tenant_id               {text}  NOT NULL,
  start_us                {int64} NOT NULL,
  width                   {text}  NOT NULL CHECK (width IN ('hour', 'day')),
  environment             {text}  NOT NULL,
  workflow                {text}  NOT NULL,
  started_by              {text}  NOT NULL,
  provider                {text}  NOT NULL,
  model                   {text}  NOT NULL,
  calls                   {int64} NOT NULL,
  input_tokens            {int64} NOT NULL,
  output_tokens           {int64} NOT NULL,
  cached_tokens           {int64} NOT NULL,
  reasoning_tokens        {int64} NOT NULL,
  reported_cost_microusd  {int64} NOT NULL,
  spent_microcredits      {int64} NOT NULL,
  PRIMARY KEY (tenant_id, start_us, width, environment, workflow, started_by, provider, model)
) {clustered};
CREATE INDEX usage_sums_by_age ON usage_sums (width, start_us);

-- Occurrences of failures.
CREATE TABLE failure_sums (
  tenant_id    {text}  NOT NULL,
  start_us     {int64} NOT NULL,
  width        {text}  NOT NULL CHECK (width IN ('hour', 'day')),
  environment  {text}  NOT NULL,
  workflow     {text}  NOT NULL,
  started_by   {text}  NOT NULL,
  kind         {text}  NOT NULL,
  error_type   {text}  NOT NULL,
  step         {text}  NOT NULL,
  failures     {int64} NOT NULL,
  PRIMARY KEY (tenant_id, start_us, width, environment, workflow, started_by, kind, error_type, step)
) {clustered};
CREATE INDEX failure_sums_by_age ON failure_sums (width, start_us);

-- Up to which entry a tenant's journal is in `usage_sums`.
CREATE TABLE spending_marks (
  tenant_id   {text}  NOT NULL PRIMARY KEY,
  summed_seq  {int64} NOT NULL
) {clustered};

-- What did not run, and was not paid, again: one row for each time that an execution went on after a failure or a
-- lost process, and for each replay. Seldom enough to be kept as they are.
CREATE TABLE savings (
  tenant_id           {text}  NOT NULL,
  at_us               {int64} NOT NULL,
  execution_id        {text}  NOT NULL,
  seq                 {int64} NOT NULL,
  cause               {text}  NOT NULL CHECK (cause IN ('resume', 'takeover', 'replay')),
  environment         {text}  NOT NULL,
  workflow            {text}  NOT NULL,
  started_by          {text}  NOT NULL,
  steps               {int64} NOT NULL,
  saved_us            {int64} NOT NULL,
  saved_microcredits  {int64} NOT NULL,
  PRIMARY KEY (tenant_id, at_us, execution_id, seq)
) {clustered};
CREATE INDEX savings_by_age ON savings (at_us);
