"""Prices: what executions, steps, tokens, provider calls and stored checkpoints cost, in whole micro-credits.

    book.py        a price book, and what a usage record costs by it
    rates.py       what one model's tokens and calls cost
    patterns.py    which names a rule is for
    parse.py       a book from TOML, or every mistake in it at once
    default.toml   the book of a fresh server; default.py reads it
    compare.py     what differs between two books
    table.py       the bundled prices of models; models.json is made by tools/generate_model_prices.py

Pure: no database, no clock, no network. Which version is in force, the server knows
(omium/server/ledger/prices.py). Rules: docs/prices.md and docs/decisions/130-one-price-book.md.
"""
