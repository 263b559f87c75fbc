-- The price book, every version of it. A saved version never changes and never goes; the one in force is the newest,
-- from the moment in which it was committed. Its number is in every entry of the journal that it priced.
--
-- `digest` is of everything that decides a price: the text, `credits_per_usd` and the bundled table of model prices.
-- `origin` says how it came about: `default` (the book of this release, which nobody has edited), `edited`,
-- `restored`, or `release` (the same text; the table or the setting is another one since a server was started).

CREATE TABLE price_versions (
  version          {int64} NOT NULL PRIMARY KEY CHECK (version > 0),
  digest           {text}  NOT NULL,
  text             {text}  NOT NULL,
  credits_per_usd  {int64} NOT NULL CHECK (credits_per_usd > 0),
  table_digest     {text}  NOT NULL,
  table_as_of      {text}  NOT NULL,
  origin           {text}  NOT NULL CHECK (origin IN ('default', 'edited', 'restored', 'release')),
  restored_from    {int64},
  created_us       {int64} NOT NULL,
  created_by       {text}  NOT NULL,
  note             {text}  NOT NULL
) {strict};

--: sqlite
CREATE TRIGGER price_versions_never_change BEFORE UPDATE ON price_versions
BEGIN SELECT RAISE(ABORT, 'a version of the price book never changes: save another'); END;
CREATE TRIGGER price_versions_never_go BEFORE DELETE ON price_versions
BEGIN SELECT RAISE(ABORT, 'a version of the price book never changes: save another'); END;
--: postgres
CREATE FUNCTION refuse_change_of_prices() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'a version of the price book never changes: save another' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER price_versions_never_change BEFORE UPDATE OR DELETE ON price_versions
FOR EACH ROW EXECUTE FUNCTION refuse_change_of_prices();
CREATE TRIGGER price_versions_never_emptied BEFORE TRUNCATE ON price_versions
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_prices();
--: both
