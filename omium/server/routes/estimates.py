"""Estimates: what an execution of a workflow is going to cost."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from omium.errors import InvalidRequest
from omium.models.prices import Estimate, StepEstimate
from omium.models.wire import Command, Name
from omium.money import to_credits, to_usd
from omium.server.ledger import estimates
from omium.server.ledger.estimates import LAST, LAST_MAX, WorkflowCosts
from omium.server.web.endpoint import Call, endpoint
from omium.states import Environment, Scope


class EstimateQuery(Command):
    """Which workflow, and from how many executions."""

    workflow: Name
    environment: Environment | None = None
    """The key's own, unless named."""
    last: Annotated[int, Field(ge=1, le=LAST_MAX)] = LAST
    """How many completed executions count, the newest first."""


@endpoint(
    "GET",
    "/v1/credits/estimate",
    scope=Scope.READ,
    query=EstimateQuery,
    reply=Estimate,
    problems=(InvalidRequest,),
    summary="Say what an execution of a workflow costs, from those that completed last",
    tags=("credits",),
)
async def estimate_workflow(call: Call[None, EstimateQuery]) -> Estimate:
    query = call.query
    environment = (query.environment or call.principal.environment).value
    found = await call.read(
        lambda tx: estimates.estimate_workflow(
            tx, call.principal.tenant_id, query.workflow, environment, last=query.last
        )
    )
    return view_estimate(found, query.workflow, environment)


def view_estimate(found: WorkflowCosts, workflow: str, environment: str) -> Estimate:
    """Return the estimate as it travels."""
    costs, book = found.costs, found.book
    return Estimate(
        workflow=workflow,
        environment=environment,
        executions=costs.count,
        basis="history" if costs.count else "price-book",
        p50_microcredits=costs.p50_microcredits,
        p95_microcredits=costs.p95_microcredits,
        max_microcredits=costs.max_microcredits,
        p50_credits=to_credits(costs.p50_microcredits),
        p95_credits=to_credits(costs.p95_microcredits),
        max_credits=to_credits(costs.max_microcredits),
        p50_usd=to_usd(costs.p50_microcredits, book.credits_per_usd),
        p95_usd=to_usd(costs.p95_microcredits, book.credits_per_usd),
        max_usd=to_usd(costs.max_microcredits, book.credits_per_usd),
        steps=[
            StepEstimate(
                name=step.name,
                executions=step.costs.count,
                p50_microcredits=step.costs.p50_microcredits,
                max_microcredits=step.costs.max_microcredits,
            )
            for step in found.steps
        ],
        execution_microcredits=book.execution_microcredits,
        step_microcredits=book.step_microcredits,
        price_version=book.version,
        oldest_at_us=found.oldest_us,
        newest_at_us=found.newest_us,
    )


ENDPOINTS = [estimate_workflow]
