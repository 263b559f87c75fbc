"""The database seam: transactions as plain functions, SQL written once for SQLite and PostgreSQL.

    tx.py         what a work sees and what a database offers: the types that the rest of the server uses
    sql.py        statements and their dialect tokens
    open.py       `open_database(url)`
    sqlite.py     connections, readers and the coalescing writer (writer.py) on one file, one server (lock.py)
    postgres.py   a pool of connections, one transaction per work
    migrate.py    numbered migrations, forward only; migrations/*.sql
    backup.py     copies of a live database, and back

Nothing outside this package touches a database file or a driver.
"""
