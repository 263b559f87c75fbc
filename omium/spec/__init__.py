"""Omium Workflow Spec v0: the document, what is wrong with one, and its static form.

    document.py       the fields, as types            graph.py        nodes, edges, regions, units
    check.py          every problem at once           compile.py      from the document to the graph
    shape.py          ... of fields                   reading.py      ... of references
    node_rules.py     ... of nodes, agents, tools     edge_rules.py   ... of edges
    secret_rules.py   ... of secrets                  handing_over.py ... of types of what is given
    readable.py       what a node may read            availability.py  ... and certainly finds
    parameters.py     what each node type asks for    canonical.py    one text, and digests
    changes.py        what differs between two        published.py    the JSON Schema
    references.py     `{"$from": ...}` resolved       templates.py    `{name}` in prompts
    schemas.py        values against JSON Schemas     value_types.py  what a schema says of a part
    expressions.py    conditions, judged when saved   reading_order.py  as people write it
    schedule/         what follows when a node ends   drawing/        the graph for people

Pure: no I/O, no clock, nothing is imported or evaluated that a document names.
"""
