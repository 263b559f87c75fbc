-- Spans that others' instrumentation sends (docs/opentelemetry.md). A trace's execution is made of all of its
-- spans, again whenever further ones have come: the rows here are the truth, that execution is their picture.

-- SQLite cannot change a CHECK, and a table that others refer to cannot be replaced inside a transaction; its
-- documentation allows this way ("Making Other Kinds Of Table Schema Changes"). The tables that are made below
-- tell other connections that the schema has changed.
--: sqlite
PRAGMA writable_schema = ON;
UPDATE sqlite_schema
   SET sql = replace(sql, '(''local'', ''worker'', ''engine'')', '(''local'', ''worker'', ''engine'', ''observed'')')
 WHERE type = 'table' AND name = 'executions';
PRAGMA writable_schema = RESET;
--: postgres
ALTER TABLE executions DROP CONSTRAINT executions_driver_check;
ALTER TABLE executions ADD CONSTRAINT executions_driver_check
  CHECK (driver IN ('local', 'worker', 'engine', 'observed'));
--: both

-- `revision` counts the batches that told something new; the execution shows `shown_revision`. `due_us` is when
-- it is to be made again: soon after news, and once more when nothing has come for long (`closed`).
CREATE TABLE traces (
  execution_id    {text}  NOT NULL PRIMARY KEY,
  tenant_id       {text}  NOT NULL REFERENCES tenants (id),
  environment     {text}  NOT NULL,
  trace_id        {text}  NOT NULL,
  started_by      {text}  NOT NULL,
  spans           {int64} NOT NULL CHECK (spans >= 0),
  revision        {int64} NOT NULL,
  shown_revision  {int64} NOT NULL,
  shown_us        {int64} NOT NULL,
  closed          {int64} NOT NULL CHECK (closed IN (0, 1)),
  first_us        {int64} NOT NULL,
  seen_us         {int64} NOT NULL,
  due_us          {int64}
) {strict};
CREATE INDEX traces_by_tenant ON traces (tenant_id, execution_id);
CREATE INDEX traces_due ON traces (due_us) WHERE due_us IS NOT NULL;
CREATE INDEX traces_unshown ON traces (seen_us) WHERE shown_revision = 0;

-- What is kept of a span: a JSON object, redacted. Of two spans with one id that which ended last counts, and of
-- those that ended together one by its digest, so that it does not matter which came first.
CREATE TABLE trace_spans (
  execution_id  {text}  NOT NULL REFERENCES traces (execution_id) ON DELETE CASCADE,
  span_id       {text}  NOT NULL,
  ended_us      {int64} NOT NULL,
  digest        {text}  NOT NULL,
  body          {bytes} NOT NULL,
  PRIMARY KEY (execution_id, span_id)
) {strict};

-- Calls of models by the id of the answer: what two instrumentors told in two traces is one call. `lone` is a call
-- that is all of its trace.
CREATE TABLE trace_calls (
  execution_id  {text}  NOT NULL REFERENCES traces (execution_id) ON DELETE CASCADE,
  span_id       {text}  NOT NULL,
  tenant_id     {text}  NOT NULL,
  environment   {text}  NOT NULL,
  response_id   {text}  NOT NULL,
  scope         {text}  NOT NULL,
  started_us    {int64} NOT NULL,
  ended_us      {int64} NOT NULL,
  lone          {int64} NOT NULL CHECK (lone IN (0, 1)),
  PRIMARY KEY (execution_id, span_id)
) {strict};
CREATE INDEX trace_calls_by_response ON trace_calls (tenant_id, environment, response_id);

-- How far this server's own executions have been told to a collector (`target` is its address).
CREATE TABLE trace_exports (
  target        {text}  NOT NULL PRIMARY KEY,
  ended_us      {int64} NOT NULL,
  execution_id  {text}  NOT NULL
) {strict};
