"""Built in: what the server itself does for a workflow, in the engine's name.

    context.py        the seam to the engine: TaskGrant, RunContext, TaskDone, TaskFailed
    runners.py        BuiltIn: what a server process has of it, and who runs which type of node
    expressions.py    conditions, evaluated in a process beside the server (expression_process.py)
    conditions.py     until those of a version have ended the process twice
    providers.py      the models' servers that the operator has configured
    provider_file.py  how a command changes the file in which they are
    model.py          one chat completion: request, answer, usage, errors
    prompts.py        from a spec to messages, from an answer to an output
    llm_call.py       one call of a model          agent_task.py    turns of a model and its tools, journaled
    http_tools.py     one HTTP request, with named secrets
    trying.py         one question to a provider, without a server

Nothing in here knows a transaction's order or a node's successors; that is the engine's.
"""
