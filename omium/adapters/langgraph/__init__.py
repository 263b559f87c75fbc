"""LangGraph: durable nodes, checkpoints on the Omium server, tokens as usage. Extra `omium-os[langgraph]`.

    instrument.py   the graph that users hold          wrapping.py  which parts of it are steps
    runs.py         begin, go on, wait                 nodes.py     a node as a step
    export.py       the graph as a workflow spec       naming.py    ids of nodes
    applying.py     edits of a spec on a copy
    threads.py      where state is, replays' copies    usage.py     what models report
    saver.py        LangGraph's checkpoint saver       codec.py     how LangChain's values are recorded
    taking.py       threads out of other savers

The user's graph is not changed: `instrument` works on a copy. Guide: docs/langgraph.md.
"""

from omium.adapters.langgraph.applying import apply_spec
from omium.adapters.langgraph.export import export_graph
from omium.adapters.langgraph.instrument import InstrumentedGraph, instrument
from omium.adapters.langgraph.nodes import NodePolicy
from omium.adapters.langgraph.saver import OmiumSaver

__all__ = ["InstrumentedGraph", "NodePolicy", "OmiumSaver", "apply_spec", "export_graph", "instrument"]
