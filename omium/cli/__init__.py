"""The command line: one module per noun, each command a thin layer over the SDK's client.

    main.py         where a command begins and how it ends
    application.py  which modules hold which commands
    context.py      what a command begins with: its output, its client, the common flags
    options.py      the flags that mean the same everywhere
    output.py       tables, detail views and JSON: what a person or a script reads

JSON goes to stdout, words to stderr. Exit codes: 0 done, 1 failed, 2 wrong use, 130 interrupted. A command
loads what it needs when it runs, so that `omium --help` stays quick.
"""
