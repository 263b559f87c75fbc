"""Adapters: one package per agent framework, each with its own extra; none imports another.

An adapter turns what a framework calls (a node, a task, a tool) into steps of an Omium execution, and leaves
the user's own objects as they are. `import omium` loads none of them.
"""
