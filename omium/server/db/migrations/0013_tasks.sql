-- Nodes' tasks outside of the server: which handlers a worker serves, and targets that tasks are pushed to.

ALTER TABLE workers ADD COLUMN handlers {bytes};

-- A webhook that does nodes of a tenant. `destination` is what people are shown; the whole address and the signing
-- secrets are sealed for their row. A disabled one (it answered 410) is pushed nothing; `note` says why.
CREATE TABLE webhook_targets (
  id           {text}  NOT NULL PRIMARY KEY,
  tenant_id    {text}  NOT NULL REFERENCES tenants (id),
  environment  {text}  NOT NULL,
  queue        {text}  NOT NULL,
  name         {text}  NOT NULL,
  destination  {text}  NOT NULL,
  sealed       {bytes} NOT NULL,
  concurrency  {int64} NOT NULL CHECK (concurrency > 0),
  reply_s      {int64} NOT NULL CHECK (reply_s > 0),
  callback_s   {int64} NOT NULL CHECK (callback_s > 0),
  status       {text}  NOT NULL CHECK (status IN ('active', 'disabled')),
  note         {text}  NOT NULL,
  created_us   {int64} NOT NULL,
  created_by   {text}  NOT NULL
) {strict};
CREATE INDEX webhook_targets_by_tenant ON webhook_targets (tenant_id, created_us, id);
CREATE INDEX webhook_targets_active ON webhook_targets (id) WHERE status = 'active';

-- Which handlers a target does; a handler may have several targets and workers, whoever is first does it.
CREATE TABLE webhook_handlers (
  target_id  {text} NOT NULL REFERENCES webhook_targets (id) ON DELETE CASCADE,
  handler    {text} NOT NULL,
  PRIMARY KEY (target_id, handler)
) {clustered};

-- A task that was granted to a target: one row for each grant, under the digest of the task's own token. Open
-- until it has ended; `due_us` is when a target that has accepted it must have called back.
CREATE TABLE webhook_pushes (
  id            {text}  NOT NULL PRIMARY KEY,
  tenant_id     {text}  NOT NULL REFERENCES tenants (id),
  target_id     {text}  NOT NULL REFERENCES webhook_targets (id) ON DELETE CASCADE,
  execution_id  {text}  NOT NULL REFERENCES executions (id) ON DELETE CASCADE,
  path          {text}  NOT NULL,
  epoch         {int64} NOT NULL,
  token_digest  {text}  NOT NULL UNIQUE,
  status        {text}  NOT NULL CHECK (status IN ('sending', 'accepted', 'cancelling', 'ended')),
  due_us        {int64},
  created_us    {int64} NOT NULL,
  ended_us      {int64},
  CHECK ((status = 'ended') = (ended_us IS NOT NULL))
) {strict};
CREATE INDEX webhook_pushes_open ON webhook_pushes (id) WHERE ended_us IS NULL;
CREATE INDEX webhook_pushes_by_target ON webhook_pushes (target_id, ended_us);
CREATE INDEX webhook_pushes_by_execution ON webhook_pushes (execution_id);
CREATE INDEX webhook_pushes_by_tenant ON webhook_pushes (tenant_id);
CREATE INDEX webhook_pushes_by_age ON webhook_pushes (ended_us) WHERE ended_us IS NOT NULL;

-- What waits for a person, the oldest first.
CREATE INDEX activations_for_people ON activations (tenant_id, ready_us, execution_id, path)
  WHERE state = 'waiting' AND waiting_reason = 'approval';

CREATE INDEX activations_held ON activations (worker_id) WHERE worker_id IS NOT NULL;
