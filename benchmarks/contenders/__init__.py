"""Contenders: the same work done by Omium, by its peers and by the bare minimum, each as a script.

A script does the work for some seconds and prints one line of JSON. Peers run in `.venv-peers`, where
nothing of Omium is installed: what is shared here (`work.py`) needs the standard library only.
"""
