"""Calls about nodes of specs that wait (signals, approvals) or are done elsewhere (tasks, webhooks).

`omium worker` says what it has done through a leaner way; the calls about tasks are for programs that bring
their own worker. Tasks are granted by `claim_work`, which names handlers.
"""

from __future__ import annotations

from omium.models.approval import Approval, ApprovalDecided, DecideApproval, SendSignal, SignalSent
from omium.models.tasks import BeatTasks, CompleteTask, FailTask, TaskEnded, TasksNews
from omium.models.webhook import CallBack, CreateWebhook, NewWebhook, Webhook, WebhookTested
from omium.models.wire import Page
from omium.sdk.async_client.core import AsyncCore, segment


class AsyncNodes(AsyncCore):
    """What happens to nodes outside of the server."""

    async def send_signal(self, execution_id: str, command: SendSignal) -> SignalSent:
        """Tell an execution something by name; the same id is one signal, however often it's sent."""
        path = f"/v1/executions/{segment(execution_id)}/signals"
        return await self._send("POST", path, SignalSent, command)

    async def list_approvals(self, *, limit: int = 50, after: str | None = None) -> Page[Approval]:
        """Return one page of what waits for a person, the oldest first."""
        return await self._get("/v1/approvals", Page[Approval], {"limit": limit, "after": after})

    async def decide_approval(
        self, execution_id: str, command: DecideApproval, *, idempotency_key: str | None = None
    ) -> ApprovalDecided:
        """Approve or reject what waits."""
        path = f"/v1/executions/{segment(execution_id)}/approvals"
        return await self._send("POST", path, ApprovalDecided, command, idempotency_key=idempotency_key)

    async def beat_tasks(self, command: BeatTasks) -> TasksNews:
        """Keep the leases of tasks, and learn which of them are cancelled or lost."""
        return await self._send("POST", "/v1/tasks/heartbeat", TasksNews, command)

    async def complete_task(self, command: CompleteTask) -> TaskEnded:
        """Record the output of a task."""
        return await self._send("POST", "/v1/tasks/complete", TaskEnded, command)

    async def fail_task(self, command: FailTask) -> TaskEnded:
        """Record that a try of a task failed; the node's policy decides what follows."""
        return await self._send("POST", "/v1/tasks/fail", TaskEnded, command)

    async def call_back(self, command: CallBack) -> TaskEnded:
        """Say what became of a pushed task, with the task's own token."""
        return await self._send("POST", "/v1/tasks/callback", TaskEnded, command)

    async def create_webhook(
        self, command: CreateWebhook, *, idempotency_key: str | None = None
    ) -> NewWebhook:
        """Register a target for nodes' tasks; its signing secret is in the reply and nowhere else."""
        return await self._send("POST", "/v1/webhooks", NewWebhook, command, idempotency_key=idempotency_key)

    async def list_webhooks(self, *, limit: int = 50, after: str | None = None) -> Page[Webhook]:
        """Return one page of the targets, oldest first."""
        return await self._get("/v1/webhooks", Page[Webhook], {"limit": limit, "after": after})

    async def delete_webhook(self, webhook_id: str) -> None:
        """Delete a target; what it was doing is done again by others."""
        await self._send("DELETE", f"/v1/webhooks/{segment(webhook_id)}", None)

    async def rotate_webhook(self, webhook_id: str, *, idempotency_key: str | None = None) -> NewWebhook:
        """Give a target a new signing secret; the former one signs along for a day."""
        path = f"/v1/webhooks/{segment(webhook_id)}/rotate"
        return await self._send("POST", path, NewWebhook, idempotency_key=idempotency_key)

    async def test_webhook(self, webhook_id: str) -> WebhookTested:
        """Send a target a message that asks for nothing; it's enabled if it answers."""
        path = f"/v1/webhooks/{segment(webhook_id)}/test"
        return await self._send("POST", path, WebhookTested, timeout_s=150)
