"""Routes: one module per noun; each declares its endpoints and delegates, nothing else.

The list below is the whole of the HTTP surface: a module that is not named here does not exist for anyone.
"""
