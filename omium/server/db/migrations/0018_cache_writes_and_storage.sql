-- What is written to a provider's cache costs more than other input; both are counted apart.
ALTER TABLE usage_records ADD COLUMN cache_write_tokens {int64} NOT NULL DEFAULT 0
  CHECK (cache_write_tokens >= 0);

-- What a tenant kept on a day of UTC, measured once, and what it was charged for it. Rows are never changed.
CREATE TABLE storage_days (
  tenant_id             {text}  NOT NULL,
  day                   {text}  NOT NULL,
  stored_bytes          {int64} NOT NULL CHECK (stored_bytes > 0),
  charged_microcredits  {int64} NOT NULL CHECK (charged_microcredits >= 0),
  price_version         {int64},
  at_us                 {int64} NOT NULL,
  PRIMARY KEY (tenant_id, day)
) {strict};

-- Days on which every tenant was measured.
CREATE TABLE storage_passes (
  day    {text}  NOT NULL PRIMARY KEY,
  at_us  {int64} NOT NULL
) {strict};
