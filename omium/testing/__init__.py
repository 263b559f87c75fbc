"""Trying out, on a user's own machine, what Omium promises: `omium doctor --chaos`.

chaos.py plays rounds of accidents and gathers what they did; processes.py and agents.py are what is killed:
a real server, and agents that write down whatever was acknowledged to them. forgetful_disk.py and
power_cut.py make a disk lose what was not synced; evidence.py compares what was acknowledged with what is
there. Nothing here is loaded by a server or by a client.
"""
