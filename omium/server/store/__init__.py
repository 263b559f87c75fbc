"""Store: SQL, one module per table group, each statement directly above the function that runs it.

Reads and writes rows and never decides: what a row means is the business of engine and ledger. Statements are
written once for both databases (docs/architecture.md); the schema is in `omium/server/db/migrations`.
"""
