"""The ledger: what happens to credits. Never sees HTTP; the rules are in docs/decisions/110-ledger.md.

    book.py      one tenant's funds while a transaction works on them: entries, chain, arrears
    funding.py   top-ups, grants, corrections, the plan's negative
    holds.py     set aside, captured, given back, expired: each once
    caps.py      what a key may spend within a day, a month, or at all
    verify.py    proof that balances follow from the journal and its chain is whole

Lock order in every transaction: the tenant's funds, its hold, the key's meter, then executions and steps.
"""
