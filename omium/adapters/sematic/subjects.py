"""Subjects: what may stand for a pipeline, and the function of Sematic's that it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sematic.abstract_future import AbstractFuture
from sematic.function import Function

from omium.adapters.recorded import StepPolicy
from omium.adapters.sematic.caching import CacheNamespace
from omium.errors import ConfigError


@dataclass(frozen=True, slots=True)
class AppliedPipeline:
    """A pipeline with the policies that a spec gives its functions: what `apply_spec` returns.

    `policies` are by the place of the function, `total/square-2`; the pipeline's own has an empty place. The
    `cache_namespace` is that of the instrumented pipeline.
    """

    function: Function
    policies: Mapping[str, StepPolicy]
    cache_namespace: CacheNamespace = None


def get_function(subject: Any) -> Function:
    """Return the pipeline that `subject` is, was called of, or was instrumented from."""
    if isinstance(subject, Function):
        return subject
    if isinstance(subject, AbstractFuture | AppliedPipeline):
        return subject.function
    source = getattr(subject, "__dict__", {}).get("source")  # of an instrumented one
    if isinstance(source, Function):
        return source
    raise ConfigError(f"{subject!r} is no pipeline: put @sematic.func on its function.")


def find_policies(subject: Any) -> Mapping[str, StepPolicy]:
    """Return the policies that Omium has for the functions of `subject`, by place."""
    if isinstance(subject, AppliedPipeline):
        return subject.policies
    nodes = getattr(subject, "__dict__", {}).get("nodes")  # of an instrumented one
    return nodes if isinstance(nodes, Mapping) else {}


def find_cache_namespace(subject: Any) -> CacheNamespace:
    """Return under what the values of cached functions of `subject` are shared, if they are."""
    if isinstance(subject, AppliedPipeline):
        return subject.cache_namespace
    found: CacheNamespace = getattr(subject, "__dict__", {}).get("cache_namespace")  # of an instrumented one
    return found


def get_name(subject: Any) -> str:
    """Return what the pipeline is called: an instrumented one as its workflow, else as its function."""
    own = getattr(subject, "__dict__", {})
    return str(own["name"]) if "source" in own else get_function(subject).__name__
