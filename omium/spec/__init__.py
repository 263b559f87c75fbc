"""The Omium Workflow Spec v0: what a workflow's document may say, checked and compiled without I/O.

    expressions.py    conditions of edges, in CEL, as far as they are judged when they are saved
"""
