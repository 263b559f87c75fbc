"""Named secrets: values that the server uses for a tenant, and shows to nobody.

named.py    set, list, delete, and open one where it is used
known.py    masking what is known to be secret in copies for people
"""
