"""A spec with every node type and nothing wrong, and a way to break it in one place."""

import copy

GONE = object()


def whole():
    """Return a document with every node type, in which `check_spec` finds nothing."""
    return copy.deepcopy(_WHOLE)


def with_change(*changes):
    """Return the document with the values at JSON pointers set; GONE removes, `/-` appends."""
    document = whole()
    for pointer, value in changes:
        put(document, pointer, value)
    return document


def put(document, pointer, value):
    *way, last = pointer.split("/")[1:]
    holder = document
    for part in way:
        holder = holder[int(part)] if isinstance(holder, list) else holder[unescape(part)]
    if isinstance(holder, list):
        if last == "-":
            holder.append(value)
        elif value is GONE:
            del holder[int(last)]
        else:
            holder[int(last)] = value
    elif value is GONE:
        del holder[unescape(last)]
    else:
        holder[unescape(last)] = value


def unescape(part):
    return part.replace("~1", "/").replace("~0", "~")


def function(id_, **members):
    return {"id": id_, "type": "function", "parameters": {"handler": "h"}, **members}


def edge(source, target, **members):
    return {"from": source, "to": target, **members}


def flow(*pairs, nodes=(), **members):
    """Return a spec of functions named by the letters of `pairs`, such as "ab" for an edge from a to b."""
    edges = [edge(*pair) if isinstance(pair, str) else pair for pair in pairs]
    names = sorted({each[end] for each in edges for end in ("from", "to")})
    own = {node["id"] for node in nodes}
    listed = [*nodes, *(function(name) for name in names if name not in own)]
    return {"omium": "0", "name": "flow", "nodes": listed, "edges": edges, **members}


_WHOLE = {
    "omium": "0",
    "name": "whole",
    "description": "Everything once",
    "source_framework": "custom",
    "x-note": {"kept": True},
    "inputs": {
        "type": "object",
        "properties": {"topic": {"type": "string"}, "count": {"type": "integer"}, "note": {"type": "string"}},
        "required": ["topic", "count"],
    },
    "outputs": {"report": {"$from": "nodes.publish.output", "default": None}},
    "agents": {
        "writer": {
            "role": "Writer on {topic}",
            "llm": {"provider": "local", "model": "small", "parameters": {"max_tokens": 100}},
            "tools": ["search"],
        }
    },
    "tools": {
        "search": {
            "description": "Searches",
            "input_schema": {
                "type": "object",
                "properties": {"query": {"type": "string"}, "limit": {"type": "integer"}},
                "required": ["query"],
                "additionalProperties": False,
            },
            "http": {
                "url": "https://api.example.com/search?q={query}",
                "headers": {"Authorization": {"$secret": "search", "prefix": "Bearer "}},
            },
        },
        "local": {"handler": "local.tool"},
    },
    "breakers": {"provider:local": {"min_calls": 5}},
    "loops": {"draft": {"max_iterations": 3}},
    "nodes": [
        {
            "id": "find",
            "type": "tool_call",
            "tool": "search",
            "inputs": {"query": {"$from": "inputs.topic"}, "limit": 3},
            "outputs": {
                "type": "object",
                "properties": {
                    "hits": {"type": "array", "items": {"type": "string"}},
                    "total": {"type": "integer"},
                },
                "required": ["hits"],
            },
        },
        {
            "id": "draft",
            "type": "agent_task",
            "agent": "writer",
            "parameters": {"description": "Write on {topic}", "expected_output": 'A page as {"a": 1}'},
            "inputs": {
                "topic": {"$from": "inputs.topic"},
                "hits": {"$from": "nodes.find.output.hits"},
                "before": {"$from": "nodes.draft.previous.output", "default": ""},
            },
            "retry": {"max_attempts": 3, "retry_on": ["TimeoutError", 429, "5xx"]},
            "timeout_s": 120,
            "breaker": "provider:local",
            "concurrency": {"key": "provider:local", "limit": 4},
            "checkpoint": {"payload": {"type": "object"}},
        },
        {"id": "choose", "type": "decision"},
        {
            "id": "each",
            "type": "map",
            "parameters": {"items": {"$from": "nodes.find.output.hits"}, "concurrency": 2},
            "inputs": {"topic": {"$from": "inputs.topic"}},
            "body": {
                "inputs": {"type": "object", "properties": {"topic": {"type": "string"}}},
                "outputs": {"$from": "nodes.sum.output"},
                "nodes": [
                    {
                        "id": "sum",
                        "type": "llm_call",
                        "parameters": {"prompt": "Sum up {text}", "llm": {"provider": "local"}},
                        "inputs": {"text": {"$from": "item"}, "number": {"$from": "index"}},
                    }
                ],
            },
        },
        {
            "id": "ask",
            "type": "approval",
            "parameters": {"message": "Publish {text}?", "expires_s": 60, "default": "rejected"},
            "inputs": {"text": {"$from": "nodes.draft.output", "default": ""}},
        },
        {"id": "pause", "type": "wait", "parameters": {"seconds": {"$from": "inputs.count"}}},
        {
            "id": "publish",
            "type": "function",
            "parameters": {"handler": "publish"},
            "inputs": {"sums": {"$from": "nodes.each.output"}},
            "effect": True,
            "compensate": "withdraw",
        },
        {"id": "after", "type": "subworkflow", "workflow": "tell@3", "join": "any"},
    ],
    "edges": [
        {"from": "find", "to": "draft"},
        {"from": "draft", "to": "choose"},
        {"from": "choose", "to": "draft", "when": {"expr": "nodes.draft.output.score < 0.5"}},
        {"from": "choose", "to": "each", "default": True},
        {"from": "each", "to": "ask"},
        {"from": "ask", "to": "pause"},
        {"from": "pause", "to": "publish"},
        {"from": "publish", "to": "after"},
        {"from": "publish", "to": "after", "on": "failure"},
    ],
    "runtime": {"mode": "engine", "queue": "default"},
}
