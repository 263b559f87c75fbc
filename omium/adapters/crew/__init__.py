"""CrewAI: durable tasks and flow methods, a journaled agent loop, tokens as usage. Extra `omium-os[crewai]`.

Guide: docs/crewai.md.
"""
