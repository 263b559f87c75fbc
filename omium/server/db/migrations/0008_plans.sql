-- Where credits come from: payments, plans, credits with an end, and what is low.
--
-- A row of `credit_marks` is made with a tenant's first credits; it is written under the lock of its funds.
-- `paid` is how much of what was spent has been attributed to `credit_lots`, `full` what was available after the last
-- credits came. The threshold is an amount (`low_microcredits`) or hundredths of `full` (`low_percent`).
CREATE TABLE credit_marks (
  tenant_id          {text}  NOT NULL PRIMARY KEY REFERENCES tenants (id),
  paid_microcredits  {int64} NOT NULL,
  full_microcredits  {int64} NOT NULL,
  low_microcredits   {int64} CHECK (low_microcredits >= 0),
  low_percent        {int64} CHECK (low_percent BETWEEN 0 AND 100),
  low_since_us       {int64}
) {strict};

-- Credits with an end: those of one entry. `left` counts down as they are spent, the ones that end first before all
-- others; what is left at the end is taken back, once.
CREATE TABLE credit_lots (
  tenant_id          {text}  NOT NULL REFERENCES tenants (id),
  seq                {int64} NOT NULL,
  left_microcredits  {int64} NOT NULL CHECK (left_microcredits >= 0),
  expires_us         {int64} NOT NULL,
  ended_us           {int64},
  PRIMARY KEY (tenant_id, seq)
) {clustered};
CREATE INDEX credit_lots_by_end ON credit_lots (expires_us, tenant_id, seq) WHERE ended_us IS NULL;

-- What a tenant had spent at a time, noted now and then, so that the rate of spending costs no sum.
CREATE TABLE usage_marks (
  tenant_id           {text}  NOT NULL REFERENCES tenants (id),
  at_us               {int64} NOT NULL,
  usage_microcredits  {int64} NOT NULL,
  PRIMARY KEY (tenant_id, at_us)
) {clustered};
CREATE INDEX usage_marks_by_age ON usage_marks (at_us);

-- Plans that tenants can have. A subscription is a tenant's plan: its periods are months, counted from `anchor`.
CREATE TABLE plans (
  name                   {text}  NOT NULL PRIMARY KEY,
  title                  {text}  NOT NULL,
  price_usd              {text}  NOT NULL,
  monthly_microcredits   {int64} NOT NULL CHECK (monthly_microcredits >= 0),
  negative_microcredits  {int64} NOT NULL CHECK (negative_microcredits >= 0),
  rolls_over             {int64} NOT NULL CHECK (rolls_over IN (0, 1)),
  open                   {int64} NOT NULL CHECK (open IN (0, 1)),
  changed_us             {int64} NOT NULL
) {strict};

INSERT INTO plans (name, title, price_usd, monthly_microcredits, negative_microcredits, rolls_over, open, changed_us)
VALUES ('hobby', 'Hobby', '0.00', 1000000000, 0, 0, 1, 0),
       ('team', 'Team', '39.00', 39000000000, 5000000000, 1, 0, 0);

CREATE TABLE subscriptions (
  tenant_id        {text}  NOT NULL PRIMARY KEY REFERENCES tenants (id),
  id               {text}  NOT NULL,
  plan             {text}  NOT NULL REFERENCES plans (name),
  next_plan        {text}  REFERENCES plans (name),
  anchor_us        {int64} NOT NULL,
  period           {int64} NOT NULL CHECK (period >= 0),
  period_start_us  {int64} NOT NULL,
  period_end_us    {int64} NOT NULL,
  CHECK (period_end_us > period_start_us)
) {strict};
CREATE INDEX subscriptions_by_end ON subscriptions (period_end_us, tenant_id);

-- Payments: asked for, then paid or not. `amount_minor` is what the provider is asked for (cents), `reference` the
-- payer's own name for it, `provider_ref` the provider's (a session), `payment_ref` that of the movement of money.
CREATE TABLE payments (
  id                   {text}  NOT NULL PRIMARY KEY,
  tenant_id            {text}  NOT NULL REFERENCES tenants (id),
  provider             {text}  NOT NULL,
  reference            {text}  NOT NULL,
  status               {text}  NOT NULL CHECK (status IN
    ('created', 'pending', 'paid', 'failed', 'expired', 'cancelled', 'review')),
  amount_microcredits  {int64} NOT NULL CHECK (amount_microcredits > 0),
  amount_minor         {int64} NOT NULL CHECK (amount_minor > 0),
  currency             {text}  NOT NULL,
  refunded_minor       {int64} NOT NULL CHECK (refunded_minor >= 0),
  provider_ref         {text},
  payment_ref          {text},
  checkout_url         {text},
  entry_seq            {int64},
  actor_id             {text}  NOT NULL,
  note                 {text},
  created_us           {int64} NOT NULL,
  changed_us           {int64} NOT NULL,
  CHECK ((status = 'paid') = (entry_seq IS NOT NULL))
) {strict};
CREATE UNIQUE INDEX payments_by_reference ON payments (tenant_id, provider, reference);
CREATE UNIQUE INDEX payments_by_provider_ref ON payments (provider, provider_ref) WHERE provider_ref IS NOT NULL;
CREATE UNIQUE INDEX payments_by_payment_ref ON payments (provider, payment_ref) WHERE payment_ref IS NOT NULL;
CREATE INDEX payments_by_tenant ON payments (tenant_id, created_us, id);
CREATE INDEX payments_paid ON payments (id) WHERE status = 'paid';

-- What a provider has told, once each.
CREATE TABLE payment_notices (
  provider     {text}  NOT NULL,
  notice_id    {text}  NOT NULL,
  kind         {text}  NOT NULL,
  payment_id   {text},
  outcome      {text}  NOT NULL,
  received_us  {int64} NOT NULL,
  PRIMARY KEY (provider, notice_id)
) {strict};

-- History leaves the many charges out without reading them.
CREATE INDEX ledger_entries_but_charges ON ledger_entries (tenant_id, seq)
  WHERE kind NOT IN ('charge', 'overage', 'arrears', 'repayment');
