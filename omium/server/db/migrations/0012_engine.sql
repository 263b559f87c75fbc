-- The engine: executions of specs that the server schedules node by node (docs/engine.md).
--
-- The records decide: what is done stands in `steps`, `step_attempts`, `effects` and `events`, as of any other
-- execution. The tables here are the working state beside them, and can be made again by folding those records
-- through the scheduler; rows that hold a value column count as references of its payload.

-- One for each execution whose driver is the engine, pinned to a version of its workflow. `failing` is the first
-- failure that nothing handles (JSON): from then on nothing begins. `activations` counts all that were made.
-- `loop_limits` says which loops may go round more often than their spec says, because a person has resumed the execution
-- with that: a JSON object of numbers by the loop's header, behind the maps around it (`orders/draft`).
CREATE TABLE engine_runs (
  execution_id  {text}  NOT NULL PRIMARY KEY REFERENCES executions (id) ON DELETE CASCADE,
  tenant_id     {text}  NOT NULL,
  workflow_id   {text}  NOT NULL,
  version       {int64} NOT NULL,
  spec_digest   {text}  NOT NULL,
  failing       {bytes},
  activations   {int64} NOT NULL,
  loop_limits   {bytes}
) {clustered};

-- An instance of a region (a loop's iteration, or the whole graph) in a scope (the execution, or a map's item).
CREATE TABLE engine_instances (
  execution_id  {text}  NOT NULL REFERENCES executions (id) ON DELETE CASCADE,
  scope         {text}  NOT NULL,
  key           {text}  NOT NULL,
  state         {bytes} NOT NULL,
  PRIMARY KEY (execution_id, scope, key)
) {clustered};

-- Nodes that are to be done, are being done, or wait. One that has ended has a record instead.
CREATE TABLE activations (
  execution_id       {text}  NOT NULL REFERENCES executions (id) ON DELETE CASCADE,
  path               {text}  NOT NULL,
  tenant_id          {text}  NOT NULL,
  environment        {text}  NOT NULL,
  workflow           {text}  NOT NULL,
  queue              {text}  NOT NULL,
  scope              {text}  NOT NULL,
  node               {text}  NOT NULL,
  vector             {text}  NOT NULL,
  type               {text}  NOT NULL,
  executor           {text}  NOT NULL CHECK (executor IN ('transaction', 'server', 'worker')),
  handler            {text}  NOT NULL,
  state              {text}  NOT NULL CHECK (state IN ('ready', 'running', 'waiting', 'ending', 'parked', 'failed')),
  waiting_reason     {text},
  trigger_edge       {text},
  attempt            {int64} NOT NULL,
  attempts_before    {int64} NOT NULL,
  interruptions      {int64} NOT NULL,
  epoch              {int64} NOT NULL,
  lease_digest       {text},
  lease_touched_us   {int64},
  worker_id          {text},
  due_us             {int64},
  deadline_us        {int64},
  input              {bytes},
  input_digest       {text}  NOT NULL,
  concurrency_key    {text},
  concurrency_limit  {int64},
  has_slot           {int64} NOT NULL,
  breaker            {text},
  effect_key         {text},
  progress           {bytes},
  ready_us           {int64} NOT NULL,
  started_us         {int64},
  PRIMARY KEY (execution_id, path)
) {strict};
CREATE INDEX activations_by_state ON activations (execution_id, state);
CREATE INDEX activations_ready ON activations (tenant_id, environment, queue, executor, handler, ready_us)
  WHERE state = 'ready';
CREATE INDEX activations_in_server ON activations (executor, tenant_id, ready_us) WHERE state = 'ready';
CREATE INDEX activations_due ON activations (due_us) WHERE state = 'waiting' AND due_us IS NOT NULL;
CREATE INDEX activations_late ON activations (deadline_us) WHERE state = 'running' AND deadline_us IS NOT NULL;
CREATE INDEX activations_leased ON activations (lease_touched_us) WHERE state = 'running';
CREATE INDEX activations_ending ON activations (tenant_id, ready_us) WHERE state = 'ending';
CREATE INDEX activations_for_slot ON activations (tenant_id, environment, concurrency_key, ready_us)
  WHERE state = 'waiting' AND waiting_reason = 'slot';

-- How the conditions of an activation's edges were judged: with its record, all that its successors depend on.
CREATE TABLE edge_conditions (
  execution_id  {text}  NOT NULL REFERENCES executions (id) ON DELETE CASCADE,
  path          {text}  NOT NULL,
  seq           {int64} NOT NULL,
  conditions    {bytes} NOT NULL,
  PRIMARY KEY (execution_id, path, seq)
) {clustered};

-- What the items of a map that is under way have come to. `output` is a value column, `error` JSON, redacted.
CREATE TABLE map_items (
  execution_id  {text}  NOT NULL REFERENCES executions (id) ON DELETE CASCADE,
  path          {text}  NOT NULL,
  position      {int64} NOT NULL,
  output        {bytes},
  error         {bytes},
  PRIMARY KEY (execution_id, path, position)
) {clustered};

-- Signals that have come, in order; `consumed_by` is the path of the node that took one, and whose record counts
-- the reference of `payload`, a value column, from then on.
CREATE TABLE signals (
  execution_id  {text}  NOT NULL REFERENCES executions (id) ON DELETE CASCADE,
  name          {text}  NOT NULL,
  signal_id     {text}  NOT NULL,
  seq           {int64} NOT NULL,
  payload       {bytes} NOT NULL,
  digest        {text}  NOT NULL,
  received_us   {int64} NOT NULL,
  consumed_by   {text},
  PRIMARY KEY (execution_id, name, signal_id)
) {strict};
CREATE INDEX signals_untaken ON signals (execution_id, name, seq) WHERE consumed_by IS NULL;

-- How many nodes with a concurrency key run. `freed` says that somebody who waits may go on.
CREATE TABLE concurrency_slots (
  tenant_id    {text}  NOT NULL,
  environment  {text}  NOT NULL,
  key          {text}  NOT NULL,
  used         {int64} NOT NULL CHECK (used >= 0),
  freed        {int64} NOT NULL,
  PRIMARY KEY (tenant_id, environment, key)
) {strict};
CREATE INDEX concurrency_slots_freed ON concurrency_slots (tenant_id, environment, key) WHERE freed = 1;

CREATE INDEX executions_engine_out_of_credits ON executions (id)
  WHERE status = 'paused' AND reason = 'credits' AND driver = 'engine';

-- Versions whose conditions were ended while they ran, because they took too much: after the second time they are
-- not evaluated any more. Kept by the document's digest: the same document saved again is the same one.
CREATE TABLE quarantined_versions (
  tenant_id       {text}  NOT NULL,
  spec_digest     {text}  NOT NULL,
  kills           {int64} NOT NULL,
  last_killed_us  {int64} NOT NULL,
  PRIMARY KEY (tenant_id, spec_digest)
) {strict};
