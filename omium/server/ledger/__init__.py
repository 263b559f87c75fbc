"""The ledger: what happens to credits. Never sees HTTP; the rules are in docs/decisions/110-ledger.md.

    book.py      one tenant's funds while a transaction works on them: entries, chain, arrears
    funding.py   top-ups, grants, corrections, the plan's negative
    holds.py     set aside, captured, given back, expired: each once
    caps.py      what a key may spend within a day, a month, or at all
    tranches.py  what an execution holds while it runs, and how its steps become charges
    charges.py   usage that providers reported: priced, charged once
    storage.py   what checkpoints take, measured and charged once a day
    verify.py    proof that balances follow from the journal and its chain is whole

Lock order in every transaction: executions and what belongs to them, then the tenant's funds, its hold, the
key's meter (docs/decisions/082-one-order-of-locks.md).
"""
