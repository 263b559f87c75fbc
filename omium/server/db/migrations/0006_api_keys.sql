-- The rest of the life of API keys: rotation, expiry as an event, soft caps, and what each key has used by day.
--
-- A key has one secret, numbered from 1; after a rotation the one before it may be good until `previous_until`.
-- `key_days` adds up by UTC day (counted from 1970) what a key was charged, and what of its executions retention
-- has removed; `key_rollups` says how far the tenant's journal is in it. Both are caches of what is told elsewhere.

ALTER TABLE api_keys ADD COLUMN secret_number {int64} NOT NULL DEFAULT 1;
ALTER TABLE api_keys ADD COLUMN previous_digest {bytes};
ALTER TABLE api_keys ADD COLUMN previous_until_us {int64};
ALTER TABLE api_keys ADD COLUMN rotated_us {int64};
ALTER TABLE api_keys ADD COLUMN expiry_told_us {int64};
CREATE INDEX api_keys_expiring ON api_keys (expires_us)
  WHERE status = 'active' AND expires_us IS NOT NULL AND expiry_told_us IS NULL;

ALTER TABLE key_meters ADD COLUMN soft_cap_percent {int64} CHECK (soft_cap_percent BETWEEN 1 AND 99);
ALTER TABLE key_meters ADD COLUMN warned_start_us {int64};
ALTER TABLE key_meters ADD COLUMN reached_start_us {int64};

CREATE TABLE key_days (
  tenant_id           {text}  NOT NULL REFERENCES tenants (id),
  api_key_id          {text}  NOT NULL,
  day                 {int64} NOT NULL,
  spent_microcredits  {int64} NOT NULL,
  executions          {int64} NOT NULL,
  steps               {int64} NOT NULL,
  PRIMARY KEY (tenant_id, api_key_id, day)
) {clustered};

CREATE TABLE key_rollups (
  tenant_id   {text}  NOT NULL PRIMARY KEY REFERENCES tenants (id),
  rolled_seq  {int64} NOT NULL
) {clustered};

CREATE INDEX usage_records_by_key ON usage_records (api_key_id, at_us);
