"""Benchmarks: speed and size as ratios beside a peer or a floor, one module per row of the table.

    python -m benchmarks --list
    python -m benchmarks.one_at_a_time --rounds 3 --json

Figures count only within one run: everything that is compared takes turns, medians are compared, and the
spread stands beside them. `rows.py` is what a module yields, `__main__.py` makes the table and
docs/benchmarks.md.
"""
