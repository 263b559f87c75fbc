"""Sematic: durable functions of a pipeline, and its graph as a document. Extra `omium-os[sematic]`.

    instrument.py    the pipeline that users hold, OmiumRunner     machine.py   Sematic's loop, with steps
    steps.py         one function as a step                        policies.py  retries and timeouts
    values.py        how values are recorded                       context.py   one function at a time
    modules.py       one name for a script's classes               naming.py    node ids
    placeholders.py  what a body calls
    export.py        the pipeline as a spec                        tracing.py   the graph of a real run
    applying.py      a spec's policies onto a pipeline             schemas.py   types as JSON Schema

The user's functions are not changed. Guide: docs/sematic.md.
"""

from omium.adapters.sematic.instrument import InstrumentedPipeline, OmiumRunner, instrument

__all__ = ["InstrumentedPipeline", "OmiumRunner", "instrument"]
