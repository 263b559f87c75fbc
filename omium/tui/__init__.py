"""The terminal dashboard: everything that the API can do, for people, in a terminal or a browser.

    app.py        the application: pages, themes, rights      actions.py    what can be done, and its key
    link.py       the connection: calls, news, lost server    registry.py   which pages there are
    frame.py      a page, as the application sees it          dialogs.py    confirm, a count, forms, a text
    pages/        one module for each page and each detail    palette.py    ctrl+p and `:`
    widgets/      what pages are made of                      content.py    strings from outside, as cells
    own_log.py    what was done here                          omium.tcss    how it looks

It speaks HTTP through `omium.AsyncClient` (or a bundle's stand-in of it) and never opens the database.
Workers fetch and post messages; only handlers of messages touch widgets.
"""
