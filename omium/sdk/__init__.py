"""The SDK: what runs in the user's process.

Two sides. The user's:

    decorators, execution, current   what user code calls           run, children    starting, resuming
    calling, steps, attempts         one call of a step             life, runner     one execution here
    effects, generators, breakers    what is special about some     driving, context what its branches share
    identity, book                   which record is whose          worker, tasks    running for others
    heartbeat, pausing, capture      beside the user's function     session          one per process

The wire's: protocol logic as generators (flows.py), writes that travel together (batching.py), the spool for
a server that is away (spool.py), connections, and the clients. Nothing is imported here: `import omium` loads
names lazily, and a script that only records steps loads neither httpx nor pydantic.
"""
