"""Drawing: a workflow's graph for people, in a terminal or as Mermaid.

    diagram.py     boxes and lines made from a spec, with their words
    layers.py      which box stands in which row, and in which order
    places.py      at which column, and how wide
    routes.py      where the lines between two rows run
    canvas.py      characters that meet and become corners and crossings
    terminal.py    all of it together; an outline where the terminal is too narrow
    mermaid.py     the same for what renders Mermaid

Pure and deterministic: one spec, one drawing, whatever order its file has. No layout library is used:
those for Python place points, and route no lines on a grid of characters
(docs/decisions/210-graphs-in-characters.md).
"""
