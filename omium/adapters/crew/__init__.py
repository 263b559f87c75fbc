"""CrewAI: crews and flows as durable executions, exported as workflows. Extra `omium-os[crewai]`.

    naming.py   the ids that tasks and methods have everywhere
"""
