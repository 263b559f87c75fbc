-- The audit log: who did what, on what, when, from where, and with which result. One chain of entries per tenant;
-- what belongs to none (log-ins with an unknown name, the server's operator) is in the chain named `system`.
--
-- `digest` chains an entry to the one before it (whose digest is `previous`) and can be checked by anybody; `mac` is made with a key that is not in
-- the database, so whoever can write here still cannot rewrite the chain (omium/server/audit/chain.py). The head is
-- locked last in a transaction, hence shortly.

CREATE TABLE audit_heads (
  tenant_id  {text}  NOT NULL PRIMARY KEY,
  last_seq   {int64} NOT NULL CHECK (last_seq >= 0),
  digest     {bytes} NOT NULL,
  mac        {bytes} NOT NULL,
  at_us      {int64} NOT NULL
) {clustered};

CREATE TABLE audit_entries (
  tenant_id   {text}  NOT NULL,
  seq         {int64} NOT NULL CHECK (seq > 0),
  at_us       {int64} NOT NULL,
  actor_kind  {text}  NOT NULL,
  actor_id    {text}  NOT NULL,
  action      {text}  NOT NULL,
  target      {text}  NOT NULL,
  result      {text}  NOT NULL CHECK (result IN ('done', 'refused')),
  code        {text}  NOT NULL,
  address     {text}  NOT NULL,
  user_agent  {text}  NOT NULL,
  request_id  {text}  NOT NULL,
  detail      {bytes} NOT NULL,
  previous    {bytes} NOT NULL,
  digest      {bytes} NOT NULL,
  mac         {bytes} NOT NULL,
  PRIMARY KEY (tenant_id, seq)
) {clustered};
CREATE INDEX audit_entries_by_actor ON audit_entries (tenant_id, actor_id, seq);
CREATE INDEX audit_entries_by_action ON audit_entries (tenant_id, action, seq);
CREATE INDEX audit_entries_by_target ON audit_entries (tenant_id, target, seq);

--: sqlite
CREATE TRIGGER audit_entries_never_change BEFORE UPDATE ON audit_entries
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_entries_never_go BEFORE DELETE ON audit_entries
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
--: postgres
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'check_violation'; END $$;
CREATE TRIGGER audit_entries_never_change BEFORE UPDATE OR DELETE ON audit_entries
FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_entries_never_emptied BEFORE TRUNCATE ON audit_entries
FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
--: both

-- Alerts: a fact is written in the transaction that makes it one, if the tenant has a rule at all; a sweep gathers
-- facts by rule and kind into deliveries; a delivery is sent at least once, under one id. `destination` is what people
-- are shown; a webhook's whole address and its signing secrets are in `sealed`.

CREATE TABLE alert_rules (
  id               {text}  NOT NULL PRIMARY KEY,
  tenant_id        {text}  NOT NULL REFERENCES tenants (id),
  name             {text}  NOT NULL,
  kinds            {text}  NOT NULL,
  workflow         {text},
  environment      {text},
  channel          {text}  NOT NULL CHECK (channel IN ('webhook', 'email', 'command')),
  destination      {text}  NOT NULL,
  sealed           {bytes},
  quiet_s          {int64} NOT NULL CHECK (quiet_s >= 0),
  status           {text}  NOT NULL CHECK (status IN ('active', 'disabled')),
  note             {text}  NOT NULL,
  created_us       {int64} NOT NULL,
  created_by       {text}  NOT NULL
) {strict};
CREATE INDEX alert_rules_by_tenant ON alert_rules (tenant_id, created_us, id);

CREATE TABLE alert_facts (
  id           {text}  NOT NULL PRIMARY KEY,
  tenant_id    {text}  NOT NULL REFERENCES tenants (id),
  kind         {text}  NOT NULL,
  environment  {text},
  workflow     {text},
  subject      {text}  NOT NULL,
  once         {text},
  text         {text}  NOT NULL,
  at_us        {int64} NOT NULL,
  gathered     {int64} NOT NULL CHECK (gathered IN (0, 1))
) {strict};
CREATE UNIQUE INDEX alert_facts_once ON alert_facts (tenant_id, once) WHERE once IS NOT NULL;
CREATE INDEX alert_facts_by_tenant ON alert_facts (tenant_id, id);
CREATE INDEX alert_facts_new ON alert_facts (id) WHERE gathered = 0;
CREATE INDEX alert_facts_by_age ON alert_facts (at_us) WHERE gathered = 1;

CREATE TABLE alert_deliveries (
  id           {text}  NOT NULL PRIMARY KEY,
  tenant_id    {text}  NOT NULL REFERENCES tenants (id),
  rule_id      {text}  NOT NULL REFERENCES alert_rules (id) ON DELETE CASCADE,
  kind         {text}  NOT NULL,
  status       {text}  NOT NULL CHECK (status IN ('gathering', 'sending', 'retrying', 'sent', 'dead')),
  facts        {int64} NOT NULL CHECK (facts > 0),
  items        {bytes} NOT NULL,
  first_us     {int64} NOT NULL,
  last_us      {int64} NOT NULL,
  planned_us   {int64} NOT NULL,
  due_us       {int64} NOT NULL,
  attempts     {int64} NOT NULL,
  error        {text}  NOT NULL,
  created_us   {int64} NOT NULL,
  ended_us     {int64},
  CHECK ((status IN ('sent', 'dead')) = (ended_us IS NOT NULL))
) {strict};
CREATE UNIQUE INDEX alert_deliveries_gathering ON alert_deliveries (rule_id, kind) WHERE status = 'gathering';
CREATE INDEX alert_deliveries_due ON alert_deliveries (due_us, id) WHERE ended_us IS NULL;
CREATE INDEX alert_deliveries_by_tenant ON alert_deliveries (tenant_id, created_us, id);
CREATE INDEX alert_deliveries_by_rule ON alert_deliveries (rule_id, kind, planned_us);
CREATE INDEX alert_deliveries_ended ON alert_deliveries (ended_us) WHERE ended_us IS NOT NULL;

-- Named secrets, sealed with the key file for their place (tenant, environment, name, version).
CREATE TABLE secrets (
  tenant_id     {text}  NOT NULL REFERENCES tenants (id),
  environment   {text}  NOT NULL,
  name          {text}  NOT NULL,
  version       {int64} NOT NULL CHECK (version > 0),
  sealed        {bytes} NOT NULL,
  created_us    {int64} NOT NULL,
  updated_us    {int64} NOT NULL,
  updated_by    {text}  NOT NULL,
  last_used_us  {int64},
  PRIMARY KEY (tenant_id, environment, name)
) {clustered};
