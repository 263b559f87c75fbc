"""The SDK: what runs in the user's process.

Two sides. The user's: decorators, contexts, runs, workers. The wire's: protocol logic as generators
(flows.py), writes that travel together (batching.py), the spool for a server that is away (spool.py),
connections, and the clients. Nothing is imported here: `import omium` loads names lazily, and a script that
only records steps loads neither httpx nor pydantic.
"""
