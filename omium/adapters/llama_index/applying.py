"""apply_spec: the policies of an exported workflow, put onto the workflow that it was exported from.

Owns which edits have a place in a workflow: retries, time limits, slots, breakers, effects and checkpoints of
its steps. What a step does, which events it takes and gives, and LlamaIndex's own retries are code. Whatever
else a spec says otherwise than the workflow is refused with a sentence, never ignored.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from omium.adapters.llama_index.applied import AppliedWorkflow, find_applied
from omium.adapters.llama_index.export import export_workflow
from omium.adapters.native_edits import edit_policies, refuse_other_code, refuse_unfollowed
from omium.errors import ConfigError
from omium.spec.check import load_spec
from omium.spec.document import Spec


def apply_spec(workflow: Any, spec: Spec) -> AppliedWorkflow:
    """Return `workflow` with the policies of `spec`, for `instrument`; the given workflow is not changed.

    A policy of the spec wins, field by field, over that which `instrument` was given before. Raises
    `ConfigError` for a spec that Omium's engine runs, and for each edit that a workflow cannot follow.
    """
    if spec.runtime.mode != "native":
        raise ConfigError("/runtime/mode is engine: this workflow runs on the server, without LlamaIndex.")
    before = find_applied(workflow)
    fresh = export_workflow(before.source, name=spec.name, entrypoint=spec.runtime.entrypoint)
    exported = load_spec(fresh)
    refuse_other_code(exported, spec, spec.name)
    refuse_unfollowed(exported, spec, spec.name)
    policies = edit_policies(before, ((node, (node.id,)) for node in spec.nodes))
    return replace(before, policies=policies)
