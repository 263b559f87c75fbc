-- The durable core. Words and rules: docs/architecture.md; times are `_us` (microseconds UTC), ids sort by time.
--
-- A column of kind "value" holds either canonical JSON, or the byte 0x01 followed by the address of a row in
-- `payloads` (large and sealed values). The row of an execution is small and hot, because every write of its
-- driver updates it; what is large or rarely read stands in `execution_details`.

CREATE TABLE tenants (
  id          {text}  NOT NULL PRIMARY KEY,
  name        {text}  NOT NULL,
  created_us  {int64} NOT NULL,
  settings    {bytes} NOT NULL
) {strict};

CREATE TABLE api_keys (
  id            {text}  NOT NULL PRIMARY KEY,
  tenant_id     {text}  NOT NULL REFERENCES tenants (id),
  name          {text}  NOT NULL,
  environment   {text}  NOT NULL,
  scopes        {text}  NOT NULL,
  workflows     {bytes},
  digest        {bytes} NOT NULL,
  status        {text}  NOT NULL CHECK (status IN ('active', 'revoked')),
  created_us    {int64} NOT NULL,
  created_by    {text},
  expires_us    {int64},
  revoked_us    {int64},
  last_used_us  {int64}
) {strict};
CREATE INDEX api_keys_by_tenant ON api_keys (tenant_id, created_us, id);

CREATE TABLE idempotency_records (
  tenant_id     {text}  NOT NULL,
  principal_id  {text}  NOT NULL,
  endpoint      {text}  NOT NULL,
  key           {text}  NOT NULL,
  body_digest   {text}  NOT NULL,
  status        {int64} NOT NULL,
  reply         {bytes} NOT NULL,
  created_us    {int64} NOT NULL,
  PRIMARY KEY (tenant_id, principal_id, endpoint, key)
) {clustered};
CREATE INDEX idempotency_records_by_age ON idempotency_records (created_us);

CREATE TABLE payloads (
  tenant_id   {text}  NOT NULL,
  address     {text}  NOT NULL,
  encoding    {text}  NOT NULL,
  body        {bytes} NOT NULL,
  size_bytes  {int64} NOT NULL,
  refs        {int64} NOT NULL CHECK (refs >= 0),
  created_us  {int64} NOT NULL,
  PRIMARY KEY (tenant_id, address)
) {strict};
CREATE INDEX payloads_unused ON payloads (created_us) WHERE refs = 0;

CREATE TABLE executions (
  id                   {text}  NOT NULL PRIMARY KEY,
  tenant_id            {text}  NOT NULL REFERENCES tenants (id),
  environment          {text}  NOT NULL,
  workflow             {text}  NOT NULL,
  queue                {text}  NOT NULL,
  driver               {text}  NOT NULL CHECK (driver IN ('local', 'worker', 'engine')),
  durability           {text}  NOT NULL CHECK (durability IN ('strict', 'relaxed')),
  takeover             {text}  NOT NULL CHECK (takeover IN ('never', 'auto')),
  status               {text}  NOT NULL CHECK (status IN
    ('queued', 'running', 'waiting', 'paused', 'completed', 'failed', 'cancelled')),
  reason               {text},
  generation           {int64} NOT NULL,
  epoch                {int64} NOT NULL,
  last_seq             {int64} NOT NULL,
  interruptions        {int64} NOT NULL,
  steps_completed      {int64} NOT NULL,
  lease_digest         {text},
  lease_touched_us     {int64},
  silent               {int64} NOT NULL,
  worker_id            {text},
  parent_id            {text},
  parent_path          {text},
  replay_of            {text},
  replay_batch         {text},
  lineage_root         {text}  NOT NULL,
  started_by           {text}  NOT NULL,
  queued_us            {int64},
  wake_us              {int64},
  suspend              {text},
  cancel_requested_us  {int64},
  cancel_outcome       {text},
  max_steps            {int64},
  max_interruptions    {int64} NOT NULL,
  interruption_streak  {int64} NOT NULL,
  interruption_steps   {int64} NOT NULL,
  created_us           {int64} NOT NULL,
  started_us           {int64},
  ended_us             {int64},
  updated_us           {int64} NOT NULL,
  CHECK (takeover = 'never' OR durability = 'strict'),
  CHECK (status <> 'running' OR driver = 'engine' OR lease_digest IS NOT NULL),
  CHECK ((status = 'queued') = (queued_us IS NOT NULL)),
  CHECK ((status IN ('completed', 'failed', 'cancelled')) = (ended_us IS NOT NULL))
) {strict};
CREATE INDEX executions_by_time ON executions (tenant_id, created_us, id);
CREATE INDEX executions_by_status ON executions (tenant_id, status, created_us, id);
CREATE INDEX executions_by_workflow ON executions (tenant_id, workflow, created_us, id);
CREATE INDEX executions_by_parent ON executions (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX executions_by_source ON executions (replay_of) WHERE replay_of IS NOT NULL;
CREATE INDEX executions_by_batch ON executions (replay_batch, status) WHERE replay_batch IS NOT NULL;
CREATE INDEX executions_queued ON executions (tenant_id, environment, queue, workflow, queued_us, id)
  WHERE status = 'queued';
CREATE INDEX executions_rolled_back ON executions (tenant_id, environment, queue, workflow, id)
  WHERE status = 'paused' AND reason = 'rollback';
CREATE INDEX executions_leased ON executions (silent) WHERE status = 'running' AND driver <> 'engine';
CREATE INDEX executions_by_worker ON executions (worker_id) WHERE worker_id IS NOT NULL AND ended_us IS NULL;
CREATE INDEX executions_by_starter ON executions (started_by, id) WHERE ended_us IS NULL;
CREATE INDEX executions_waking ON executions (wake_us) WHERE status = 'waiting' AND wake_us IS NOT NULL;
CREATE INDEX executions_cancelling ON executions (cancel_requested_us)
  WHERE cancel_requested_us IS NOT NULL AND ended_us IS NULL;
CREATE INDEX executions_ended ON executions (tenant_id, status, ended_us) WHERE ended_us IS NOT NULL;
CREATE INDEX executions_by_lineage ON executions (lineage_root);
-- No index holds a column that a driver's write changes (last_seq, steps_completed, lease_touched_us, updated_us):
-- PostgreSQL then changes the row where it is, if its page has room, and touches no index at all.
--: postgres
ALTER TABLE executions SET (fillfactor = 70);
--: both

CREATE TABLE execution_details (
  execution_id   {text}  NOT NULL PRIMARY KEY REFERENCES executions (id) ON DELETE CASCADE,
  request_digest {text}  NOT NULL,
  input          {bytes} NOT NULL,
  input_digest   {text}  NOT NULL,
  comparable     {text}  NOT NULL,
  output         {bytes},
  error          {bytes},
  process        {bytes},
  code           {bytes},
  limits         {bytes} NOT NULL,
  edits          {bytes},
  running        {bytes}
) {strict};

CREATE TABLE epochs (
  execution_id  {text}  NOT NULL REFERENCES executions (id) ON DELETE CASCADE,
  epoch         {int64} NOT NULL,
  granted_us    {int64} NOT NULL,
  granted_to    {text}  NOT NULL,
  cause         {text}  NOT NULL,
  process       {bytes},
  code          {bytes},
  PRIMARY KEY (execution_id, epoch)
) {clustered};

CREATE TABLE events (
  execution_id  {text}  NOT NULL REFERENCES executions (id) ON DELETE CASCADE,
  seq           {int64} NOT NULL,
  type          {text}  NOT NULL,
  at_us         {int64} NOT NULL,
  data          {bytes} NOT NULL,
  PRIMARY KEY (execution_id, seq)
) {clustered};

CREATE TABLE steps (
  execution_id    {text}  NOT NULL REFERENCES executions (id) ON DELETE CASCADE,
  path            {text}  NOT NULL,
  name            {text},
  occurrence      {int64} NOT NULL,
  explicit_key    {int64} NOT NULL,
  kind            {text}  NOT NULL CHECK (kind IN ('step', 'workflow', 'child', 'effect', 'compensation')),
  generation      {int64} NOT NULL,
  epoch           {int64} NOT NULL,
  status          {text}  NOT NULL CHECK (status IN ('retrying', 'completed', 'failed')),
  attempt         {int64} NOT NULL,
  interruptions   {int64} NOT NULL,
  input           {bytes},
  input_digest    {bytes} NOT NULL,
  comparable      {text}  CHECK (comparable IN ('partial', 'none')),
  output          {bytes},
  output_digest   {bytes},
  error           {bytes},
  effect_key      {text},
  reused_from     {text},
  edited_by       {text},
  started_us      {int64} NOT NULL,
  ended_us        {int64} NOT NULL,
  completed_seq   {int64},
  superseded_seq  {int64},
  CHECK ((status = 'completed') = (completed_seq IS NOT NULL))
) {strict};
CREATE UNIQUE INDEX steps_by_path ON steps (execution_id, path, COALESCE(superseded_seq, 0));
-- The only index: a step is written once and seldom listed. `name` is NULL where it follows from the path,
-- `comparable` where it is 'full'.

-- On PostgreSQL a foreign key costs a look and a lock with each row. Whoever writes these two has changed the
-- execution's row in the same transaction, and retention deletes them first.
--: postgres
ALTER TABLE steps DROP CONSTRAINT steps_execution_id_fkey;
ALTER TABLE events DROP CONSTRAINT events_execution_id_fkey;
--: both

CREATE TABLE step_attempts (
  execution_id  {text}  NOT NULL REFERENCES executions (id) ON DELETE CASCADE,
  path          {text}  NOT NULL,
  generation    {int64} NOT NULL,
  attempt       {int64} NOT NULL,
  epoch         {int64} NOT NULL,
  error         {bytes} NOT NULL,
  started_us    {int64} NOT NULL,
  ended_us      {int64} NOT NULL,
  delay_us      {int64},
  PRIMARY KEY (execution_id, path, generation, attempt, epoch)
) {clustered};

CREATE TABLE checkpoints (
  id              {text}  NOT NULL PRIMARY KEY,
  execution_id    {text}  NOT NULL REFERENCES executions (id) ON DELETE CASCADE,
  generation      {int64} NOT NULL,
  path            {text}  NOT NULL,
  name            {text}  NOT NULL,
  seq             {int64} NOT NULL,
  state           {bytes} NOT NULL,
  state_digest    {text}  NOT NULL,
  created_us      {int64} NOT NULL,
  superseded_seq  {int64}
) {strict};
CREATE INDEX checkpoints_by_execution ON checkpoints (execution_id, seq);

CREATE TABLE effects (
  tenant_id      {text}  NOT NULL,
  effect_key     {text}  NOT NULL,
  lineage_root   {text}  NOT NULL,
  execution_id   {text}  NOT NULL,
  path           {text}  NOT NULL,
  redo           {int64} NOT NULL CHECK (redo >= 0),
  mode           {text}  NOT NULL CHECK (mode IN ('once', 'idempotent')),
  state          {text}  NOT NULL CHECK (state IN ('intended', 'done', 'not_applied', 'unknown', 'skipped')),
  generation     {int64} NOT NULL,
  epoch          {int64} NOT NULL,
  attempt        {int64} NOT NULL,
  name           {text}  NOT NULL,
  compensate     {text},
  input          {bytes},
  input_digest   {text}  NOT NULL,
  output         {bytes},
  output_digest  {text},
  error          {bytes},
  intended_seq   {int64} NOT NULL,
  done_seq       {int64},
  intended_us    {int64} NOT NULL,
  ended_us       {int64},
  decided_by     {text},
  compensated    {int64} NOT NULL,
  PRIMARY KEY (tenant_id, effect_key)
) {strict};
CREATE INDEX effects_by_execution ON effects (execution_id, intended_seq);
CREATE INDEX effects_open ON effects (execution_id) WHERE state IN ('intended', 'unknown');
CREATE INDEX effects_by_lineage ON effects (tenant_id, lineage_root, path, redo);

CREATE TABLE compensations (
  execution_id  {text}  NOT NULL REFERENCES executions (id) ON DELETE CASCADE,
  generation    {int64} NOT NULL,
  position      {int64} NOT NULL,
  effect_key    {text}  NOT NULL,
  path          {text}  NOT NULL,
  compensate    {text}  NOT NULL,
  status        {text}  NOT NULL CHECK (status IN ('pending', 'completed', 'failed', 'skipped')),
  attempt       {int64} NOT NULL,
  error         {bytes},
  ended_us      {int64},
  decided_by    {text},
  PRIMARY KEY (execution_id, generation, position)
) {clustered};

CREATE TABLE failures (
  id                 {text}  NOT NULL PRIMARY KEY,
  tenant_id          {text}  NOT NULL REFERENCES tenants (id),
  environment        {text}  NOT NULL,
  workflow           {text}  NOT NULL,
  fingerprint        {text}  NOT NULL,
  kind               {text}  NOT NULL,
  status             {text}  NOT NULL CHECK (status IN ('open', 'replayed', 'rolled_back', 'ignored', 'resolved')),
  error_type         {text}  NOT NULL,
  message            {text}  NOT NULL,
  step               {text}  NOT NULL,
  count              {int64} NOT NULL,
  open_count         {int64} NOT NULL CHECK (open_count >= 0),
  first_seen_us      {int64} NOT NULL,
  last_seen_us       {int64} NOT NULL,
  last_execution_id  {text}  NOT NULL,
  ignored_until_us   {int64},
  ignored_count_left {int64},
  ignored_code       {text},
  ignored_reason     {text},
  CHECK ((status = 'open') = (open_count > 0))
) {strict};
CREATE UNIQUE INDEX failures_by_fingerprint ON failures (tenant_id, environment, workflow, fingerprint);
CREATE INDEX failures_by_status ON failures (tenant_id, status, last_seen_us, id);
CREATE INDEX failures_by_workflow ON failures (tenant_id, workflow, status, last_seen_us, id);
CREATE INDEX failures_by_time ON failures (tenant_id, last_seen_us, id);
CREATE INDEX failures_snoozed ON failures (ignored_until_us) WHERE ignored_until_us IS NOT NULL;

CREATE TABLE failure_occurrences (
  id              {text}  NOT NULL PRIMARY KEY,
  failure_id      {text}  NOT NULL REFERENCES failures (id) ON DELETE CASCADE,
  tenant_id       {text}  NOT NULL,
  execution_id    {text}  NOT NULL,
  path            {text}  NOT NULL,
  epoch           {int64} NOT NULL,
  seq             {int64} NOT NULL,
  status          {text}  NOT NULL CHECK (status IN ('open', 'replayed', 'rolled_back', 'ignored', 'resolved')),
  cause_id        {text},
  error           {bytes} NOT NULL,
  code_digest     {text},
  created_us      {int64} NOT NULL,
  disposed_us     {int64},
  disposed_by     {text},
  disposed_reason {text}
) {strict};
CREATE UNIQUE INDEX failure_occurrences_natural ON failure_occurrences (execution_id, seq);
CREATE INDEX failure_occurrences_by_failure ON failure_occurrences (failure_id, created_us, id);
CREATE INDEX failure_occurrences_by_status ON failure_occurrences (failure_id, status, created_us, id);

-- A group that is replayed one execution after another; the next one starts at `next_us`.
CREATE TABLE replay_batches (
  id             {text}  NOT NULL PRIMARY KEY,
  tenant_id      {text}  NOT NULL REFERENCES tenants (id),
  failure_id     {text}  NOT NULL REFERENCES failures (id) ON DELETE CASCADE,
  started_by     {text}  NOT NULL,
  status         {text}  NOT NULL CHECK (status IN ('running', 'done', 'stopped')),
  stopped_reason {text},
  command        {bytes} NOT NULL,
  remaining      {int64} NOT NULL CHECK (remaining >= 0),
  launched       {int64} NOT NULL,
  skipped        {bytes} NOT NULL,
  after_us       {int64} NOT NULL,
  after_id       {text}  NOT NULL,
  next_us        {int64} NOT NULL,
  created_us     {int64} NOT NULL,
  updated_us     {int64} NOT NULL
) {strict};
CREATE UNIQUE INDEX replay_batches_running ON replay_batches (failure_id) WHERE status = 'running';
CREATE INDEX replay_batches_due ON replay_batches (next_us) WHERE status = 'running';
CREATE INDEX replay_batches_by_failure ON replay_batches (failure_id, created_us);

CREATE TABLE breakers (
  tenant_id    {text}  NOT NULL REFERENCES tenants (id),
  environment  {text}  NOT NULL,
  name         {text}  NOT NULL,
  state        {text}  NOT NULL CHECK (state IN ('closed', 'open', 'half_open')),
  data         {bytes} NOT NULL,
  changed_us   {int64} NOT NULL,
  updated_us   {int64} NOT NULL,
  PRIMARY KEY (tenant_id, environment, name)
) {strict};

CREATE TABLE usage_records (
  tenant_id                {text}  NOT NULL REFERENCES tenants (id),
  id                       {text}  NOT NULL,
  execution_id             {text},
  path                     {text},
  attempt                  {int64},
  environment              {text}  NOT NULL,
  workflow                 {text},
  api_key_id               {text}  NOT NULL,
  provider                 {text},
  model                    {text},
  input_tokens             {int64} NOT NULL CHECK (input_tokens >= 0),
  output_tokens            {int64} NOT NULL CHECK (output_tokens >= 0),
  cached_tokens            {int64} NOT NULL CHECK (cached_tokens >= 0),
  reasoning_tokens         {int64} NOT NULL CHECK (reasoning_tokens >= 0),
  calls                    {int64} NOT NULL CHECK (calls >= 0),
  reported_cost_microusd   {int64},
  at_us                    {int64} NOT NULL,
  PRIMARY KEY (tenant_id, id)
) {strict};
CREATE INDEX usage_records_by_execution ON usage_records (execution_id) WHERE execution_id IS NOT NULL;
CREATE INDEX usage_records_by_time ON usage_records (tenant_id, at_us);

CREATE TABLE step_logs (
  execution_id  {text}  NOT NULL REFERENCES executions (id) ON DELETE CASCADE,
  path          {text}  NOT NULL,
  attempt       {int64} NOT NULL,
  chunk         {int64} NOT NULL,
  at_us         {int64} NOT NULL,
  lines         {bytes} NOT NULL,
  PRIMARY KEY (execution_id, path, attempt, chunk)
) {clustered};

CREATE TABLE workers (
  id               {text}  NOT NULL PRIMARY KEY,
  tenant_id        {text}  NOT NULL REFERENCES tenants (id),
  environment      {text}  NOT NULL,
  api_key_id       {text}  NOT NULL,
  queue            {text}  NOT NULL,
  workflows        {bytes} NOT NULL,
  process          {bytes} NOT NULL,
  concurrency      {int64} NOT NULL,
  last_workflow    {text}  NOT NULL,
  started_us       {int64} NOT NULL,
  seen_us          {int64} NOT NULL,
  seen_lease_us    {int64} NOT NULL,
  stopped_us       {int64}
) {strict};
CREATE INDEX workers_by_tenant ON workers (tenant_id, id);
CREATE INDEX workers_live ON workers (tenant_id, environment, seen_lease_us) WHERE stopped_us IS NULL;
