-- What starts executions by itself: schedules (cron), and triggers (a signed webhook, the end of another workflow).

CREATE TABLE schedules (
  id           {text}  NOT NULL PRIMARY KEY,
  tenant_id    {text}  NOT NULL REFERENCES tenants (id),
  environment  {text}  NOT NULL,
  name         {text}  NOT NULL,
  workflow     {text}  NOT NULL,
  queue        {text}  NOT NULL,
  cron         {text}  NOT NULL,
  timezone     {text}  NOT NULL,
  input        {bytes} NOT NULL,
  missed       {text}  NOT NULL CHECK (missed IN ('skip', 'one', 'all')),
  missed_max   {int64} NOT NULL CHECK (missed_max > 0),
  overlap      {text}  NOT NULL CHECK (overlap IN ('allow', 'skip', 'queue')),
  status       {text}  NOT NULL CHECK (status IN ('active', 'paused')),
  note         {text}  NOT NULL,
  next_us      {int64} NOT NULL,
  last_us      {int64},
  created_us   {int64} NOT NULL,
  created_by   {text}  NOT NULL
) {strict};
CREATE UNIQUE INDEX schedules_by_name ON schedules (tenant_id, environment, name);
CREATE INDEX schedules_due ON schedules (next_us) WHERE status = 'active';
CREATE INDEX schedules_ahead ON schedules (last_us) WHERE status = 'active' AND last_us IS NOT NULL;

-- `sealed` holds the signing secret of a webhook and the one before it; `after_workflow` and `outcome` say whose end
-- another kind follows, and `seen_us` up to when ends were looked at.
CREATE TABLE triggers (
  id              {text}  NOT NULL PRIMARY KEY,
  tenant_id       {text}  NOT NULL REFERENCES tenants (id),
  environment     {text}  NOT NULL,
  name            {text}  NOT NULL,
  kind            {text}  NOT NULL CHECK (kind IN ('webhook', 'after')),
  workflow        {text}  NOT NULL,
  queue           {text}  NOT NULL,
  inputs          {bytes},
  sealed          {bytes},
  after_workflow  {text},
  outcome         {text}  CHECK (outcome IN ('completed', 'failed', 'any')),
  seen_us         {int64} NOT NULL,
  created_us      {int64} NOT NULL,
  created_by      {text}  NOT NULL,
  CHECK ((kind = 'webhook') = (sealed IS NOT NULL)),
  CHECK ((kind = 'after') = (after_workflow IS NOT NULL)),
  CHECK ((kind = 'after') = (outcome IS NOT NULL))
) {strict};
CREATE UNIQUE INDEX triggers_by_name ON triggers (tenant_id, environment, name);
CREATE INDEX triggers_after ON triggers (id) WHERE kind = 'after';

-- Every time that one of them came to start something, once (`key`: the due time, the message's id, whose end).
CREATE TABLE fires (
  origin_id     {text}  NOT NULL,
  key           {text}  NOT NULL,
  tenant_id     {text}  NOT NULL,
  due_us        {int64} NOT NULL,
  at_us         {int64} NOT NULL,
  outcome       {text}  NOT NULL CHECK (outcome IN ('started', 'waiting', 'skipped', 'refused')),
  live          {int64} NOT NULL,
  execution_id  {text},
  code          {text},
  detail        {text},
  PRIMARY KEY (origin_id, key)
) {strict};
CREATE INDEX fires_by_time ON fires (origin_id, at_us);
CREATE INDEX fires_by_tenant ON fires (tenant_id);
CREATE INDEX fires_by_age ON fires (at_us);
CREATE INDEX fires_waiting ON fires (origin_id, due_us) WHERE outcome = 'waiting';
CREATE INDEX fires_live ON fires (origin_id) WHERE live = 1;
