-- What the spans of a trace take, at least: beyond a bound, further ones are kept without their contents.
ALTER TABLE traces ADD COLUMN kept_bytes {int64} NOT NULL DEFAULT 0;
UPDATE traces
   SET kept_bytes = COALESCE((SELECT SUM(LENGTH(body)) FROM trace_spans
                               WHERE trace_spans.execution_id = traces.execution_id), 0);

-- Servers that count their answers from 1 give the same ids again and again: only those of about that time are read.
DROP INDEX trace_calls_by_response;
CREATE INDEX trace_calls_by_response
  ON trace_calls (tenant_id, environment, response_id, lone, started_us);
