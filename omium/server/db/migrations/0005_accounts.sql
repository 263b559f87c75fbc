-- Accounts: people, their sessions, roles and invitations.
--
-- A name is stored as it is compared (omium/server/accounts/names.py). Of a secret only a keyed digest is stored.
-- `login_failures` counts per account name and per address, by a digest: names that nobody has count as well, and
-- what was typed there by mistake (a password) is not kept.

CREATE TABLE users (
  id                   {text}  NOT NULL PRIMARY KEY,
  name                 {text}  NOT NULL UNIQUE,
  password             {text}  NOT NULL,
  status               {text}  NOT NULL CHECK (status IN ('active', 'disabled')),
  server_owner         {int64} NOT NULL CHECK (server_owner IN (0, 1)),
  created_us           {int64} NOT NULL,
  password_changed_us  {int64} NOT NULL
) {strict};

CREATE TABLE memberships (
  tenant_id   {text}  NOT NULL REFERENCES tenants (id),
  user_id     {text}  NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  role        {text}  NOT NULL CHECK (role IN ('owner', 'admin', 'operator', 'viewer')),
  created_us  {int64} NOT NULL,
  created_by  {text},
  PRIMARY KEY (tenant_id, user_id)
) {clustered};
CREATE INDEX memberships_by_user ON memberships (user_id, tenant_id);

CREATE TABLE sessions (
  id            {text}  NOT NULL PRIMARY KEY,
  user_id       {text}  NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  tenant_id     {text}  NOT NULL REFERENCES tenants (id),
  environment   {text}  NOT NULL,
  digest        {bytes} NOT NULL,
  agent         {text}  NOT NULL,
  address       {text}  NOT NULL,
  created_us    {int64} NOT NULL,
  last_used_us  {int64} NOT NULL,
  expires_us    {int64} NOT NULL,
  ended_us      {int64}
) {strict};
CREATE INDEX sessions_by_user ON sessions (user_id, created_us, id);
CREATE INDEX sessions_by_tenant ON sessions (tenant_id, user_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_us);

CREATE TABLE invitations (
  id            {text}  NOT NULL PRIMARY KEY,
  tenant_id     {text}  NOT NULL REFERENCES tenants (id),
  role          {text}  NOT NULL CHECK (role IN ('owner', 'admin', 'operator', 'viewer')),
  server_owner  {int64} NOT NULL CHECK (server_owner IN (0, 1)),
  note          {text}  NOT NULL,
  digest        {bytes} NOT NULL,
  created_us    {int64} NOT NULL,
  created_by    {text}  NOT NULL,
  expires_us    {int64} NOT NULL,
  used_us       {int64},
  used_by       {text},
  revoked_us    {int64}
) {strict};
CREATE INDEX invitations_by_tenant ON invitations (tenant_id, created_us, id);
CREATE INDEX invitations_by_expiry ON invitations (expires_us);

CREATE TABLE login_failures (
  digest      {bytes} NOT NULL PRIMARY KEY,
  failures    {int64} NOT NULL CHECK (failures >= 0),
  last_us     {int64} NOT NULL
) {clustered};
CREATE INDEX login_failures_by_age ON login_failures (last_us);

-- A tenant that is being deleted: nobody gets in any more, a sweep removes what it owns. The row stays for the
-- entries of the ledger, which are never removed.
ALTER TABLE tenants ADD COLUMN deleted_us {int64};
ALTER TABLE tenants ADD COLUMN emptied_us {int64};
CREATE INDEX tenants_being_deleted ON tenants (deleted_us) WHERE deleted_us IS NOT NULL AND emptied_us IS NULL;
CREATE INDEX api_keys_by_creator ON api_keys (tenant_id, created_by) WHERE status = 'active';
