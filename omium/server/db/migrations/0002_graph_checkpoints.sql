-- What OmiumSaver keeps for a graph framework: opaque bytes, always sealed (docs/langgraph.md).
--
-- A checkpoint's row has no channel values: those stand in `graph_channels`, once per version, because most
-- channels do not change from one checkpoint to the next. `versions` is the JSON object channel -> version.

CREATE TABLE graph_checkpoints (
  tenant_id       {text}  NOT NULL REFERENCES tenants (id),
  thread_id       {text}  NOT NULL,
  namespace       {text}  NOT NULL,
  checkpoint_id   {text}  NOT NULL,
  parent_id       {text},
  run_id          {text},
  execution_id    {text},
  seq             {int64},
  checkpoint      {bytes} NOT NULL,
  metadata        {bytes} NOT NULL,
  facts           {bytes} NOT NULL,
  versions        {bytes} NOT NULL,
  created_us      {int64} NOT NULL,
  superseded_seq  {int64},
  PRIMARY KEY (tenant_id, thread_id, namespace, checkpoint_id)
) {strict};
CREATE INDEX graph_checkpoints_by_id ON graph_checkpoints (tenant_id, checkpoint_id, thread_id, namespace);
CREATE INDEX graph_checkpoints_by_thread ON graph_checkpoints (tenant_id, thread_id, checkpoint_id, namespace);
CREATE INDEX graph_checkpoints_by_run ON graph_checkpoints (tenant_id, run_id) WHERE run_id IS NOT NULL;
CREATE INDEX graph_checkpoints_by_execution ON graph_checkpoints (execution_id, seq) WHERE execution_id IS NOT NULL;

CREATE TABLE graph_channels (
  tenant_id   {text}  NOT NULL,
  thread_id   {text}  NOT NULL,
  namespace   {text}  NOT NULL,
  channel     {text}  NOT NULL,
  version     {text}  NOT NULL,
  value       {bytes},
  PRIMARY KEY (tenant_id, thread_id, namespace, channel, version)
) {strict};

CREATE TABLE graph_writes (
  tenant_id      {text}  NOT NULL,
  thread_id      {text}  NOT NULL,
  namespace      {text}  NOT NULL,
  checkpoint_id  {text}  NOT NULL,
  task_path      {text}  NOT NULL,
  task_id        {text}  NOT NULL,
  idx            {int64} NOT NULL,
  channel        {text}  NOT NULL,
  value          {bytes} NOT NULL,
  execution_id   {text},
  seq            {int64},
  PRIMARY KEY (tenant_id, thread_id, namespace, checkpoint_id, task_id, idx)
) {strict};
CREATE INDEX graph_writes_by_execution ON graph_writes (execution_id, seq) WHERE execution_id IS NOT NULL;
