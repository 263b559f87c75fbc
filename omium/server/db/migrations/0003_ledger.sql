-- Credits: double entry, append-only, in whole micro-credits. The journal (`ledger_entries`) is the truth, the
-- balances in `accounts` are a cache that is checked against it (omium/server/ledger/verify.py).
--
-- A transfer debits one account and credits one; a balance is what was credited less what was debited. A tenant
-- has `funds` (what it may spend), `usage` (what it has spent) and `arrears` (zero, or what it owes as a negative
-- number); the owner `system` has the accounts that credits come from and go to. So all balances add up to zero.
-- `held`, `floor`, `last_seq` and `head` mean something in `funds` only: what holds set aside, how far below zero a
-- plan lets the balance go, and the end of the tenant's chain of entries.

CREATE TABLE accounts (
  owner                 {text}  NOT NULL,
  kind                  {text}  NOT NULL,
  balance_microcredits  {int64} NOT NULL,
  held_microcredits     {int64} NOT NULL CHECK (held_microcredits >= 0),
  floor_microcredits    {int64} NOT NULL CHECK (floor_microcredits <= 0),
  last_seq              {int64} NOT NULL,
  head                  {bytes} NOT NULL,
  PRIMARY KEY (owner, kind),
  CHECK (kind <> 'funds' OR balance_microcredits >= floor_microcredits),
  CHECK (kind <> 'arrears' OR balance_microcredits <= 0)
) {clustered};

CREATE TABLE ledger_entries (
  tenant_id               {text}  NOT NULL REFERENCES tenants (id),
  seq                     {int64} NOT NULL,
  kind                    {text}  NOT NULL,
  debit_owner             {text}  NOT NULL,
  debit_kind              {text}  NOT NULL,
  credit_owner            {text}  NOT NULL,
  credit_kind             {text}  NOT NULL,
  amount_microcredits     {int64} NOT NULL CHECK (amount_microcredits > 0),
  balance_microcredits    {int64} NOT NULL,
  at_us                   {int64} NOT NULL,
  once                    {text},
  actor_id                {text}  NOT NULL,
  api_key_id              {text},
  execution_id            {text},
  path                    {text},
  hold_id                 {text},
  price_version           {int64},
  corrects_seq            {int64},
  reference               {text},
  note                    {text},
  digest                  {bytes} NOT NULL,
  PRIMARY KEY (tenant_id, seq)
) {clustered};
CREATE UNIQUE INDEX ledger_entries_once ON ledger_entries (tenant_id, once) WHERE once IS NOT NULL;
CREATE INDEX ledger_entries_by_execution ON ledger_entries (execution_id, seq) WHERE execution_id IS NOT NULL;

-- Credits set aside before work. What is still set aside is `held`; `captured` was spent out of it. The index says
-- that an open hold for one purpose (an execution's tranche, a task) can be there once.
CREATE TABLE holds (
  id                    {text}  NOT NULL PRIMARY KEY,
  tenant_id             {text}  NOT NULL REFERENCES tenants (id),
  purpose               {text}  NOT NULL,
  api_key_id            {text},
  period_start_us       {int64},
  status                {text}  NOT NULL CHECK (status IN ('open', 'captured', 'released', 'expired')),
  held_microcredits     {int64} NOT NULL CHECK (held_microcredits >= 0),
  captured_microcredits {int64} NOT NULL CHECK (captured_microcredits >= 0),
  created_us            {int64} NOT NULL,
  expires_us            {int64},
  resolved_us           {int64},
  CHECK (status = 'open' OR held_microcredits = 0)
) {strict};
CREATE UNIQUE INDEX holds_open ON holds (tenant_id, purpose) WHERE status = 'open';
CREATE INDEX holds_by_expiry ON holds (expires_us) WHERE status = 'open' AND expires_us IS NOT NULL;

-- What a key has spent and set aside within the running period of its cap (`total` has one period, from 0 on).
CREATE TABLE key_meters (
  api_key_id          {text}  NOT NULL PRIMARY KEY REFERENCES api_keys (id),
  cap_microcredits    {int64},
  cap_period          {text}  NOT NULL CHECK (cap_period IN ('total', 'day', 'month')),
  period_start_us     {int64} NOT NULL,
  spent_microcredits  {int64} NOT NULL CHECK (spent_microcredits >= 0),
  held_microcredits   {int64} NOT NULL CHECK (held_microcredits >= 0)
) {clustered};

--: sqlite
CREATE TRIGGER ledger_entries_never_change BEFORE UPDATE ON ledger_entries
BEGIN SELECT RAISE(ABORT, 'the journal is append-only: post a correction'); END;
CREATE TRIGGER ledger_entries_never_go BEFORE DELETE ON ledger_entries
BEGIN SELECT RAISE(ABORT, 'the journal is append-only: post a correction'); END;
--: postgres
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the journal is append-only: post a correction' USING ERRCODE = 'check_violation'; END $$;
CREATE TRIGGER ledger_entries_never_change BEFORE UPDATE OR DELETE ON ledger_entries
FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_entries_never_emptied BEFORE TRUNCATE ON ledger_entries
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
--: both
