"""CrewAI: durable tasks and flow methods, a journaled agent loop, tokens as usage. Extra `omium-os[crewai]`.

    instrument.py  the crew or flow that users hold      wrapping.py     where CrewAI's classes let Omium in
    runs.py        which run the code belongs to          policy.py       what Omium does for one task
    tasks.py       a task as a step                       methods.py      a flow's method as a step
    model_calls.py what models answered, tokens           tool_calls.py   what tools returned
    answers.py     what people typed                      codec.py        how outputs are recorded
    naming.py      the ids of tasks and methods           export.py       a crew or flow as a document
    flow_copies.py a flow's object for one run            turns.py        runs that need the same object

The user's objects are not changed. Guide: docs/crewai.md.
"""

from omium.adapters.crew.quiet import keep_quiet

keep_quiet()  # before CrewAI is loaded

from omium.adapters.crew.instrument import InstrumentedCrew, InstrumentedFlow, instrument  # noqa: E402
from omium.adapters.crew.naming import name_nodes  # noqa: E402
from omium.adapters.crew.policy import TaskPolicy  # noqa: E402

__all__ = ["InstrumentedCrew", "InstrumentedFlow", "TaskPolicy", "instrument", "name_nodes"]
