"""Sematic: durable functions of a pipeline, and its graph as a document. Extra `omium-os[sematic]`.

    instrument.py    the pipeline that users hold, OmiumRunner     machine.py   Sematic's loop, with steps
    steps.py         one function as a step                        policies.py  retries and timeouts
    caching.py       values that need no call                      cache_keys.py  which calls are equal
    cache_shelf.py   values that executions share
    context.py       one function at a time                        naming.py    node ids
    values.py        how values are recorded                       order.py     of dicts and sets
    modules.py       one name for a script's classes               subjects.py  what may stand for a pipeline
    export.py        the pipeline as a spec                        drawing.py   its nodes and edges
    placeholders.py  what a body calls, without a run              tracing.py   what a real run called
    applying.py      a spec's policies onto a pipeline             schemas.py   types as JSON Schema

The user's functions are not changed. Guide: docs/sematic.md.
"""

from omium.adapters.sematic.instrument import InstrumentedPipeline, OmiumRunner, instrument

__all__ = ["InstrumentedPipeline", "OmiumRunner", "instrument"]
