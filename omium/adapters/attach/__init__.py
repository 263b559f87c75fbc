"""Looking at what frameworks stored themselves, in place and never written to.

    detecting.py     which store it is that somebody names
    opening.py       a SQLite file, so that nothing in it or beside it changes
    runs.py          what every store is asked for
    threads.py       LangGraph: threads of a saver; thread_recording.py one with its steps
    graph_rows.py    a saver's rows, from graph_sqlite.py or graph_postgres.py; writes.py what tasks wrote
    crew_checkpoints.py  CrewAI: runs that checkpoints tell; crew_events.py what is taken of them
    crew_rows.py     checkpoints as they are stored, in files (crew_folder.py) or rows (crew_sqlite.py)
    crew_flows.py    CrewAI: flows with `@persist`
    importing.py     a recorded run as the server takes it
    packed.py        MessagePack, jsonb.py SQLite's JSONB, plain.py stored values for people

No framework is loaded and none of its objects is made; a stored value is only data.
"""

from omium.adapters.attach.detecting import open_store
from omium.adapters.attach.runs import RecordedRun, Run, RunState, Store

__all__ = ["RecordedRun", "Run", "RunState", "Store", "open_store"]
