"""Looking at what a framework stored itself: LangGraph's SQLite saver, in place and never written to.

How the file is opened is opening.py's, what its threads say threads.py's, how a packed value is read
packed.py's. No framework is loaded and none of its objects is made; a stored value is only data.
"""

from omium.adapters.attach.threads import Thread, ThreadState, list_threads

__all__ = ["Thread", "ThreadState", "list_threads"]
