"""Analytics: what has happened, added up by hour and day of UTC, and what it says.

    histogram.py   how long executions took, in buckets that can be added to each other
    summing.py     sweeps that add rows up, once each, and make days of old hours
    counting.py    what the engine calls where a counted execution goes on, or is removed
    queries.py     figures over time and by workflow, key, environment, model, error
    verify.py      proof that the sums are those of the rows

Every row that is counted says itself whether a sum has it (store/unsummed.py), so the hot path pays nothing,
and figures hold from the commit on: who reads adds what is not summed yet.
"""
