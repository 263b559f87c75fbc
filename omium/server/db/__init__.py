"""The database seam: transactions as plain functions, SQL written once for SQLite and PostgreSQL.

    tx.py           what a work sees and what a database offers: the types that the rest of the server uses
    sql.py          statements and their dialect tokens
    open.py         `open_database(url)`; settings.py its limits, offline.py the same without a server
    works.py        who waits, who is answered: the queue between the event loop and the threads
    transaction.py  the part of a transaction that is the same for both databases
    sqlite.py       a file: one server (lock.py), the coalescing writer (writer.py), readers (reader.py)
    postgres.py     lanes for batches of works (postgres_batches.py), and for one at a time (postgres_lane.py)
    migrate.py      numbered migrations, forward only; migrations/*.sql
    backup.py       copies of a live database, and back; backup_postgres.py

Nothing outside this package touches a database file or a driver.
"""
