"""The command line: one module per noun, each command a thin layer over the SDK's client.

    main.py      the application, how errors end, and which modules hold which commands
    options.py   the flags that mean the same everywhere
    output.py    tables, detail views and JSON: what a person or a script reads

JSON goes to stdout, words to stderr. Exit codes: 0 done, 1 failed, 2 wrong use, 130 interrupted. A command
loads what it needs when it runs, so that `omium --help` stays quick.
"""
