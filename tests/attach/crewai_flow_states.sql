-- What CrewAI 1.15.30's @persist wrote for two runs of one flow, plan then write: the second raised in write.
BEGIN TRANSACTION;
CREATE TABLE flow_states (
                id INTEGER PRIMARY KEY AUTOINCREMENT,
                flow_uuid TEXT NOT NULL,
                method_name TEXT NOT NULL,
                timestamp DATETIME NOT NULL,
                state_json TEXT NOT NULL
            );
INSERT INTO "flow_states" VALUES(1,'997dad1e-03e0-4775-9a01-2839abcc113e','plan','2026-11-23T07:34:10.986608+00:00','{"id": "997dad1e-03e0-4775-9a01-2839abcc113e", "ink": 1, "plan": "go"}');
INSERT INTO "flow_states" VALUES(2,'997dad1e-03e0-4775-9a01-2839abcc113e','write','2026-11-23T07:34:11.005388+00:00','{"id": "997dad1e-03e0-4775-9a01-2839abcc113e", "ink": 1, "plan": "go", "text": "Otters."}');
INSERT INTO "flow_states" VALUES(3,'543c5671-e46f-4b84-a9b7-ec7ad764cdbb','plan','2026-11-23T07:34:11.038320+00:00','{"id": "543c5671-e46f-4b84-a9b7-ec7ad764cdbb", "ink": 0, "plan": "go"}');
CREATE TABLE pending_feedback (
                id INTEGER PRIMARY KEY AUTOINCREMENT,
                flow_uuid TEXT NOT NULL UNIQUE,
                context_json TEXT NOT NULL,
                state_json TEXT NOT NULL,
                created_at DATETIME NOT NULL
            );
CREATE INDEX idx_flow_states_uuid
            ON flow_states(flow_uuid)
            ;
CREATE INDEX idx_pending_feedback_uuid
            ON pending_feedback(flow_uuid)
            ;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('flow_states',3);
COMMIT;
