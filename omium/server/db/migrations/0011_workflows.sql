-- Workflows and their versions. A version is written once: whoever has its number has its document, for good. The
-- newest one is active, so an old one comes back as a new number (`restored_from`). A tag is a name that people move
-- from version to version (`prod`).

CREATE TABLE workflows (
  tenant_id     {text}  NOT NULL REFERENCES tenants (id),
  id            {text}  NOT NULL,
  name          {text}  NOT NULL,
  version       {int64} NOT NULL CHECK (version > 0),
  archived_us   {int64},
  archived_by   {text},
  created_us    {int64} NOT NULL,
  created_by    {text}  NOT NULL,
  updated_us    {int64} NOT NULL,
  PRIMARY KEY (tenant_id, id),
  CHECK ((archived_us IS NULL) = (archived_by IS NULL))
) {clustered};
CREATE UNIQUE INDEX workflows_by_name ON workflows (tenant_id, name);

CREATE TABLE workflow_versions (
  tenant_id         {text}  NOT NULL,
  workflow_id       {text}  NOT NULL,
  number            {int64} NOT NULL CHECK (number > 0),
  document          {bytes} NOT NULL,
  digest            {text}  NOT NULL,
  mode              {text}  NOT NULL CHECK (mode IN ('engine', 'native')),
  label             {text}  NOT NULL,
  description       {text}  NOT NULL,
  source_framework  {text}  NOT NULL,
  note              {text}  NOT NULL,
  author            {text}  NOT NULL,
  restored_from     {int64},
  created_us        {int64} NOT NULL,
  PRIMARY KEY (tenant_id, workflow_id, number),
  FOREIGN KEY (tenant_id, workflow_id) REFERENCES workflows (tenant_id, id)
) {strict};

--: sqlite
CREATE TRIGGER workflow_versions_never_change BEFORE UPDATE ON workflow_versions
BEGIN SELECT RAISE(ABORT, 'a version of a workflow never changes'); END;
--: postgres
CREATE FUNCTION refuse_version_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'a version of a workflow never changes' USING ERRCODE = 'check_violation'; END $$;
CREATE TRIGGER workflow_versions_never_change BEFORE UPDATE ON workflow_versions
FOR EACH ROW EXECUTE FUNCTION refuse_version_change();
--: both

CREATE TABLE workflow_tags (
  tenant_id    {text}  NOT NULL,
  workflow_id  {text}  NOT NULL,
  tag          {text}  NOT NULL,
  number       {int64} NOT NULL CHECK (number > 0),
  updated_us   {int64} NOT NULL,
  updated_by   {text}  NOT NULL,
  PRIMARY KEY (tenant_id, workflow_id, tag),
  FOREIGN KEY (tenant_id, workflow_id, number) REFERENCES workflow_versions (tenant_id, workflow_id, number)
) {clustered};

-- What people look for an execution by, written once with its start and apart from its row, so that no write of a
-- driver touches them or an index over them.
CREATE TABLE execution_labels (
  execution_id  {text}  NOT NULL PRIMARY KEY REFERENCES executions (id) ON DELETE CASCADE,
  tenant_id     {text}  NOT NULL,
  business_key  {text},
  tags          {bytes} NOT NULL,
  created_us    {int64} NOT NULL
) {strict};
CREATE INDEX execution_labels_by_key ON execution_labels (tenant_id, business_key, created_us, execution_id)
  WHERE business_key IS NOT NULL;

CREATE TABLE execution_tags (
  tenant_id     {text}  NOT NULL,
  tag           {text}  NOT NULL,
  created_us    {int64} NOT NULL,
  execution_id  {text}  NOT NULL REFERENCES executions (id) ON DELETE CASCADE,
  PRIMARY KEY (tenant_id, tag, created_us, execution_id)
) {clustered};
CREATE INDEX execution_tags_by_execution ON execution_tags (execution_id);
