"""What `apply_spec` returns: an edited copy and its policies, for `instrument` and `export_workflow`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omium.adapters.crew.policy import TaskPolicy


@dataclass(frozen=True, slots=True)
class Applied:
    """A crew with the edits of a spec, or a flow, which has none."""

    subject: Any
    """The copy; a flow itself."""
    policies: Mapping[str, TaskPolicy] = field(default_factory=dict)
    """Of nodes by id, where the spec says something of them."""
    agents: Mapping[str, Any] = field(default_factory=dict)
    """The copy's agents by the ids that they have in the spec: a role that was edited names them no more."""
    origin: Any = None
    """What was applied to, such as an instrumented crew, which may have settings of its own."""
