"""Omium Workflow Spec v0: the document, what is wrong with one, and its static form.

    document.py       the fields, as types            graph.py        nodes, edges, regions, units
    check.py          every problem at once           compile.py      from the document to the graph
    shape.py          ... of fields                   reading.py      ... of references
    node_rules.py     ... of nodes, agents, tools     edge_rules.py   ... of edges
    secret_rules.py   ... of secrets                  handing_over.py ... of types of what is given
    parameters.py     what each node type asks for    canonical.py    one text, and digests
    changes.py        what differs between two        published.py    the JSON Schema
    references.py     `{"$from": ...}` resolved       templates.py    `{name}` in prompts
    schemas.py        values against JSON Schemas     expressions.py  conditions in CEL, judged when saved

Pure: no I/O, no clock, nothing is imported or evaluated that a document names.
"""
