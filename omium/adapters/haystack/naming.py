"""Node ids: the components of a pipeline, by ids that follow from their names."""

from __future__ import annotations

from typing import Any

from haystack import Pipeline

from omium.adapters.node_ids import make_ids


def name_nodes(pipeline: Pipeline) -> dict[str, Any]:
    """Return the components by id, in the order of their names, in which Haystack considers them."""
    names = sorted(pipeline.graph.nodes)
    components = [pipeline.graph.nodes[name]["instance"] for name in names]
    return dict(zip(make_ids(names, otherwise="component"), components, strict=True))


def find_ids(pipeline: Pipeline) -> dict[str, str]:
    """Return the id of each component by its name in the pipeline."""
    return dict(zip(sorted(pipeline.graph.nodes), name_nodes(pipeline), strict=True))
