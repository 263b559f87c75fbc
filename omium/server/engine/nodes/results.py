"""Results: whether an output is what the spec asks for, and the checkpoint that it becomes."""

from __future__ import annotations

from omium.jsonvalue import JsonValue, plain
from omium.server.engine.mishaps import PackedError, make_error
from omium.server.engine.nodes.work import NodeWork
from omium.server.engine.values import PackedValue, put_value
from omium.server.store import checkpoints
from omium.server.store.activations import ActivationRow
from omium.server.store.checkpoints import CheckpointRow
from omium.spec.document import Node
from omium.spec.schemas import check_value
from omium.states import EventType


def find_fault(node: Node, output: JsonValue) -> PackedError | None:
    """Return why the output fails the node, or None: another try would give what it asks as little.

    An output is judged as conditions read it, without the tags of its classes; so is a step's by the SDK.
    """
    if node.outputs and (problems := check_value(node.outputs, plain(output))):
        text = (
            f"The output of {node.id} is not as its schema asks: {problems[0].pointer} {problems[0].detail}"
        )
        return make_error("OutputInvalid", text, code="output-schema")
    if node.checkpoint is None or not node.checkpoint.enabled or not node.checkpoint.payload:
        return None
    if problems := check_value(node.checkpoint.payload, plain(output)):
        text = f"The checkpoint of {node.id} is not as its schema asks: {problems[0].detail}"
        return make_error("CheckpointInvalid", text, code="checkpoint-schema")
    return None


def save_checkpoint(work: NodeWork, row: ActivationRow, node: Node, output: PackedValue) -> None:
    """Keep the output as the node's checkpoint, where it says so."""
    if node.checkpoint is None or not node.checkpoint.enabled:
        return
    id_ = work.tx.new_id("cp")
    seq = work.record(EventType.CHECKPOINT_SAVED, {"id": id_, "name": row.node, "path": row.path})
    checkpoints.insert_checkpoint(
        work.tx,
        CheckpointRow(
            id=id_,
            execution_id=row.execution_id,
            generation=work.row.generation,
            path=row.path,
            name=row.node,
            seq=seq,
            state=put_value(work.tx, row.tenant_id, output),
            state_digest=output.digest,
            created_us=work.now_us,
            superseded_seq=None,
        ),
    )
