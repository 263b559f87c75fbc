"""LangGraph: durable nodes, checkpoints on the Omium server, tokens as usage. Extra `omium-os[langgraph]`.

    instrument.py   the graph that runs as an execution      nodes.py   each node as a step
    saver.py        LangGraph's checkpoint saver             usage.py   what models report
    codec.py        how LangChain's values are recorded

The user's graph is not changed: `instrument` works on a copy. Guide: docs/langgraph.md.
"""

from omium.adapters.langgraph.saver import OmiumSaver

__all__ = ["OmiumSaver"]
