"""Traces: spans that others' instrumentation sends become executions, steps, failures and usage.

    body.py        bytes of a request, inflated within bounds
    structure.py   bounds of what a protobuf body may hold
    protobuf.py    OTLP's two encodings to raw spans; json_form.py the other one
    attributes.py  which attribute means what, in five conventions
    content.py     what went in and what came out, for people
    reading.py     a raw span to what is kept of it
    ingest.py      a request: read, redacted, stored in one work, answered
    merging.py     one call that two instrumentors saw
    picture.py     all spans of a trace to one execution; the same for any order in which they came
    showing.py     that picture to rows, in one transaction
    shower.py      the loop that does it for traces with news
    imported.py    runs that a framework stored itself, shown the same way

Spans are the truth and are stored before the answer; an execution is made of all spans of its trace, again
whenever there are further ones. Omium has not run it: its driver is `observed`, nobody can resume it. The
other way, outgoing.py makes spans of an execution that Omium ran, and exporter.py tells a collector of them.
"""
