"""Omium Workflow Spec v0: the document, what is wrong with one, and its static form.

    document.py       the fields, as types            graph.py        nodes, edges, regions, units
    check.py          every problem at once           compile.py      from the document to the graph
    references.py     `{"$from": ...}` resolved       templates.py    `{name}` in prompts
    expressions.py    conditions in CEL, judged when they are saved

Pure: no I/O, no clock, nothing is imported or evaluated that a document names.
"""
