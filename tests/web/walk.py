"""An owner who has one of everything, and for each endpoint the arguments that name it.

For tests that walk the whole endpoint table: strangers who use the owner's ids (test_tenancy_walk.py),
hostile values in good requests (test_hostile_bodies.py).
"""

import asyncio
import re
import tempfile
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from omium.ids import new_id
from omium.server.ledger import holds
from omium.server.ledger.book import About
from omium.server.web.endpoint import Endpoint
from tests.serverfixture import AppClient, open_app_client, test_settings

DIGEST = "0" * 64
TOKEN = "t" * 32
PRIVATE = "private"
PASSWORD = "correct battery staple horse"
PROCESS = {"boot_id": "boot", "pid_namespace": "ns", "pid": 1, "started_ticks": 1}
BLOB = {"type": "json", "data": "cHJpdmF0ZQ=="}
Query = dict[str, str]
ID = re.compile(r"\b[a-z]{2}_[0-9a-hjkmnp-tv-z]{26}\b")


@dataclass
class Ids:
    """Everything by which the owner's things can be named; by default the names of nothing."""

    failed: str = field(default_factory=lambda: new_id("ex", 1))
    running: str = field(default_factory=lambda: new_id("ex", 1))
    queued: str = field(default_factory=lambda: new_id("ex", 1))
    checkpoint: str = field(default_factory=lambda: new_id("cp", 1))
    effect: str = "ef_unknown"
    failure: str = field(default_factory=lambda: new_id("fa", 1))
    key: str = field(default_factory=lambda: new_id("ak", 1))
    worker: str = "worker-nobody"
    breaker: str = "breaker-nobody"
    thread: str = "thread-nobody"
    run: str = "run-nobody"
    usage: str = "usage-nobody"
    entry: str = f"{999_999:018}"  # padded, to be found in an answer
    payment: str = field(default_factory=lambda: new_id("py", 1))
    step: str = "step-nobody"
    rule: str = field(default_factory=lambda: new_id("ar", 1))
    delivery: str = field(default_factory=lambda: new_id("dl", 1))
    secret: str = "secret_nobody"
    workflow: str = "workflow-nobody"
    webhook: str = field(default_factory=lambda: new_id("wh", 1))
    schedule: str = field(default_factory=lambda: new_id("sc", 1))
    trigger: str = field(default_factory=lambda: new_id("tr", 1))
    user: str = field(default_factory=lambda: new_id("us", 1))
    session: str = field(default_factory=lambda: new_id("se", 1))
    invitation: str = field(default_factory=lambda: new_id("in", 1))


@dataclass(frozen=True)
class Asked:
    """One request's arguments: for the path in order, the body, the query."""

    path: tuple[str, ...] = ()
    body: object = None
    query: Query | None = None


def step_write(path: str, **fields: object) -> dict[str, object]:
    return {"path": path, "name": path, "input_digest": DIGEST, "started_at_us": 1, "ended_at_us": 2} | fields


def group(execution_id: str, *writes: dict[str, object]) -> dict[str, object]:
    return {"execution_id": execution_id, "epoch": 1, "lease_token": TOKEN, "writes": list(writes)}


def usage(usage_id: str, execution_id: str | None) -> dict[str, object]:
    return {"id": usage_id, "execution_id": execution_id, "model": PRIVATE, "input_tokens": 7, "at_us": 1}


def graph_checkpoint(ids: Ids) -> dict[str, object]:
    names = {"thread_id": ids.thread, "checkpoint_id": "1", "run_id": ids.run}
    return names | {"checkpoint": BLOB, "metadata": BLOB}


def task_grant(ids: Ids) -> dict[str, object]:
    return {"execution_id": ids.running, "path": ids.step, "epoch": 1, "token": TOKEN}


def workflow(name: str) -> dict[str, object]:
    node = {"id": "only", "type": "function", "parameters": {"handler": PRIVATE}}
    return {"omium": "0", "name": name, "nodes": [node]}


def claim(ids: Ids, **fields: object) -> dict[str, object]:
    return {"worker_id": ids.worker, "workflows": [PRIVATE], "process": PROCESS, "wait_s": 0} | fields


ARGUMENTS: dict[str, Callable[[Ids], Asked]] = {
    "get_whoami": lambda ids: Asked(),
    "get_status": lambda ids: Asked(),
    "create_key": lambda ids: Asked(body={"name": "new"}),
    "list_keys": lambda ids: Asked(),
    "get_key": lambda ids: Asked((ids.key,)),
    "update_key": lambda ids: Asked((ids.key,), {"name": "renamed", "spend_cap_usd": 1}),
    "rotate_key": lambda ids: Asked((ids.key,), {}),
    "create_schedule": lambda ids: Asked(body={"name": "new", "workflow": "w", "cron": "0 9 * * *"}),
    "list_schedules": lambda ids: Asked(),
    "get_schedule": lambda ids: Asked((ids.schedule,)),
    "list_schedule_fires": lambda ids: Asked((ids.schedule,)),
    "pause_schedule": lambda ids: Asked((ids.schedule,)),
    "resume_schedule": lambda ids: Asked((ids.schedule,)),
    "run_schedule": lambda ids: Asked((ids.schedule,)),
    "delete_schedule": lambda ids: Asked((ids.schedule,)),
    "create_trigger": lambda ids: Asked(body={"name": "new", "kind": "webhook", "workflow": "w"}),
    "list_triggers": lambda ids: Asked(),
    "get_trigger": lambda ids: Asked((ids.trigger,)),
    "list_trigger_fires": lambda ids: Asked((ids.trigger,)),
    "rotate_trigger": lambda ids: Asked((ids.trigger,)),
    "delete_trigger": lambda ids: Asked((ids.trigger,)),
    "analyze_usage": lambda ids: Asked(),
    "analyze_errors": lambda ids: Asked(),
    "analyze_savings": lambda ids: Asked(),
    "get_key_usage": lambda ids: Asked((ids.key,)),
    "exchange_key": lambda ids: Asked(body={}),
    "revoke_key": lambda ids: Asked((ids.key,)),
    "change_password": lambda ids: Asked(body={"password": PASSWORD, "new_password": PASSWORD}),
    "delete_account": lambda ids: Asked(body={"password": PASSWORD}),
    "list_sessions": lambda ids: Asked(),
    "revoke_session": lambda ids: Asked((ids.session,)),
    "revoke_other_sessions": lambda ids: Asked(),
    "log_out": lambda ids: Asked(),
    "switch_session": lambda ids: Asked(body={"tenant": "test"}),
    "list_members": lambda ids: Asked(),
    "set_member_role": lambda ids: Asked((ids.user,), {"role": "viewer"}),
    "remove_member": lambda ids: Asked((ids.user,)),
    "leave_tenant": lambda ids: Asked(),
    "create_invitation": lambda ids: Asked(body={"role": "viewer"}),
    "list_invitations": lambda ids: Asked(),
    "revoke_invitation": lambda ids: Asked((ids.invitation,)),
    "accept_invitation": lambda ids: Asked(body={"invitation": ids.invitation}),
    "list_tenants": lambda ids: Asked(),
    "create_tenant": lambda ids: Asked(body={"name": "of a stranger"}),
    "rename_tenant": lambda ids: Asked(body={"name": "test"}),
    "delete_tenant": lambda ids: Asked(body={"name": "test"}),
    "start_execution": lambda ids: Asked(
        body={
            "workflow": "child",
            "driver": "worker",
            "input_digest": DIGEST,
            "parent_id": ids.running,
            "parent_path": ids.step,
        }
    ),
    "import_run": lambda ids: Asked(
        body={
            "framework": "langgraph",
            "identity": DIGEST,
            "run_id": ids.thread,
            "workflow": "of-a-stranger",
            "status": "open",
            "started_at_us": 1,
            "updated_at_us": 2,
            "steps": [{"name": ids.step, "started_at_us": 1, "ended_at_us": 2, "output": [1]}],
            "states": [{"name": "state", "at_us": 2, "state": {"a": 1}}],
        }
    ),
    "save_workflow": lambda ids: Asked(body={"document": workflow("of-a-stranger")}),
    "check_workflow": lambda ids: Asked(body={"document": workflow(ids.workflow)}),
    "list_workflows": lambda ids: Asked(),
    "get_workflow": lambda ids: Asked((ids.workflow,)),
    "list_workflow_versions": lambda ids: Asked((ids.workflow,)),
    "get_workflow_version": lambda ids: Asked((ids.workflow, "1")),
    "compare_workflow_versions": lambda ids: Asked((ids.workflow,)),
    "restore_workflow": lambda ids: Asked((ids.workflow,), {"version": 1}),
    "archive_workflow": lambda ids: Asked((ids.workflow,)),
    "unarchive_workflow": lambda ids: Asked((ids.workflow,)),
    "tag_workflow": lambda ids: Asked((ids.workflow, PRIVATE), {}),
    "untag_workflow": lambda ids: Asked((ids.workflow, PRIVATE)),
    "list_executions": lambda ids: Asked(query={"parent": ids.running}),
    "get_execution": lambda ids: Asked((ids.failed,)),
    "list_steps": lambda ids: Asked((ids.failed,)),
    "get_step_value": lambda ids: Asked((ids.failed,), query={"path": ids.step}),
    "list_attempts": lambda ids: Asked((ids.failed,)),
    "list_events": lambda ids: Asked((ids.failed,)),
    "list_checkpoints": lambda ids: Asked((ids.failed,)),
    "get_checkpoint": lambda ids: Asked((ids.failed, ids.checkpoint)),
    "resume_execution": lambda ids: Asked((ids.failed,), {"process": PROCESS}),
    "cancel_execution": lambda ids: Asked((ids.running,), {}),
    "pause_execution": lambda ids: Asked((ids.running,), {}),
    "plan_replay": lambda ids: Asked((ids.failed,), {"from_step": ids.step}),
    "replay_execution": lambda ids: Asked((ids.failed,), {"from_step": ids.step}),
    "plan_rollback": lambda ids: Asked((ids.failed,), {"to_checkpoint": ids.checkpoint}),
    "rollback_execution": lambda ids: Asked((ids.failed,), {"to_checkpoint": ids.checkpoint}),
    "list_compensations": lambda ids: Asked((ids.failed,)),
    "skip_compensations": lambda ids: Asked((ids.failed,), {"reason": "r"}),
    "list_effects": lambda ids: Asked((ids.failed,)),
    "decide_effect": lambda ids: Asked((ids.failed, ids.effect), {"decision": "skip"}),
    "list_logs": lambda ids: Asked((ids.failed,), query={"path": ids.step}),
    "list_failures": lambda ids: Asked(query={"workflow": PRIVATE, "execution": ids.failed}),
    "get_failure": lambda ids: Asked((ids.failure,)),
    "list_occurrences": lambda ids: Asked((ids.failure,)),
    "ignore_failure": lambda ids: Asked((ids.failure,), {"reason": "r"}),
    "resolve_failure": lambda ids: Asked((ids.failure,), {}),
    "replay_failure": lambda ids: Asked((ids.failure,), {}),
    "report_calls": lambda ids: Asked(body={"name": ids.breaker, "want_permission": True}),
    "list_breakers": lambda ids: Asked(),
    "list_slots": lambda ids: Asked(query={"key": PRIVATE}),
    "get_breaker": lambda ids: Asked((ids.breaker,)),
    "limit_breaker": lambda ids: Asked((ids.breaker,), {"tokens_per_minute": 100}),
    "set_breaker": lambda ids: Asked((ids.breaker,), {"state": "closed"}),
    "record_usage": lambda ids: Asked(body=usage("of-a-stranger", ids.running)),
    "export_traces": lambda ids: Asked(body={}),
    "list_usage": lambda ids: Asked(query={"execution_id": ids.running}),
    "get_prices": lambda ids: Asked(),
    "check_prices": lambda ids: Asked(body={"text": ""}),
    "set_prices": lambda ids: Asked(body={"text": ""}),
    "restore_prices": lambda ids: Asked(body={"version": 1}),
    "list_price_versions": lambda ids: Asked(),
    "get_price_version": lambda ids: Asked(("1",)),
    "compare_price_versions": lambda ids: Asked(("1",)),
    "look_up_price": lambda ids: Asked(query={"model": "gpt-4o"}),
    "list_audit": lambda ids: Asked(query={"target": ids.key}),
    "verify_audit": lambda ids: Asked(body={}),
    "add_alert_rule": lambda ids: Asked(
        body={"name": "r", "channel": "webhook", "destination": "https://example.com/hook"}
    ),
    "list_alert_rules": lambda ids: Asked(),
    "remove_alert_rule": lambda ids: Asked((ids.rule,)),
    "test_alert_rule": lambda ids: Asked((ids.rule,)),
    "rotate_alert_rule": lambda ids: Asked((ids.rule,)),
    "list_alert_deliveries": lambda ids: Asked(query={"rule": ids.rule}),
    "retry_alert_delivery": lambda ids: Asked((ids.delivery,)),
    "send_signal": lambda ids: Asked((ids.running,), {"name": "s", "signal_id": "1", "payload": PRIVATE}),
    "list_approvals": lambda ids: Asked(),
    "decide_approval": lambda ids: Asked((ids.running,), {"path": ids.step, "decision": "approved"}),
    "beat_tasks": lambda ids: Asked(body={"tasks": [task_grant(ids)]}),
    "complete_task": lambda ids: Asked(body=task_grant(ids)),
    "fail_task": lambda ids: Asked(body=task_grant(ids) | {"error": {"type": "E", "message": "m"}}),
    "create_webhook": lambda ids: Asked(
        body={"name": "w", "url": "https://example.com/hook", "handlers": ["h"]}
    ),
    "list_webhooks": lambda ids: Asked(),
    "delete_webhook": lambda ids: Asked((ids.webhook,)),
    "rotate_webhook": lambda ids: Asked((ids.webhook,)),
    "test_webhook": lambda ids: Asked((ids.webhook,)),
    "set_secret": lambda ids: Asked((ids.secret,), {"value": "of a stranger"}),
    "list_secrets": lambda ids: Asked(),
    "delete_secret": lambda ids: Asked((ids.secret,)),
    "get_credits": lambda ids: Asked(),
    "list_credit_history": lambda ids: Asked(query={"execution": ids.running}),
    "grant_credits": lambda ids: Asked(body={"credits": 1, "reason": "r"}),
    "adjust_credits": lambda ids: Asked(body={"credits": 1, "reason": "r"}),
    "refund_entry": lambda ids: Asked((ids.entry,), {"reason": "r"}),
    "set_low_credits": lambda ids: Asked(body={"percent": 5}),
    "top_up": lambda ids: Asked(body={"usd": 20, "reference": "of-a-stranger"}),
    "list_payments": lambda ids: Asked(),
    "get_payment": lambda ids: Asked((ids.payment,)),
    "confirm_payment": lambda ids: Asked((ids.payment,), {}),
    "cancel_payment": lambda ids: Asked((ids.payment,), {}),
    "list_plans": lambda ids: Asked(),
    "put_plan": lambda ids: Asked(("walked",), {"title": "Walked"}),
    "choose_plan": lambda ids: Asked(body={"plan": "hobby"}),
    "cancel_plan": lambda ids: Asked(body={}),
    "estimate_workflow": lambda ids: Asked(query={"workflow": ids.step}),
    "get_retention": lambda ids: Asked(),
    "set_retention": lambda ids: Asked(body={"completed_days": 1}),
    "write": lambda ids: Asked(
        body={
            "groups": [
                group(ids.running, step_write("new", type="step.completed", output=1)),
                group(ids.failed, {"type": "heartbeat"}, {"type": "execution.completed", "output": 1}),
                group(ids.running, {"type": "usage.recorded", "usage": usage("written", ids.running)}),
                group(ids.failed, step_write("e", type="effect.ended", effect_key=ids.effect, state="done")),
            ]
        }
    ),
    "fetch_recorded": lambda ids: Asked(
        (ids.failed,), {"paths": [ids.step, f"$checkpoint/{ids.checkpoint}"]}
    ),
    "claim_work": lambda ids: Asked(
        body=claim(ids, worker_id="of-a-stranger", execution_id=ids.queued, gone_workers=[ids.worker])
    ),
    "stream_execution_events": lambda ids: Asked((ids.failed,)),
    "stop_worker": lambda ids: Asked(body={"worker_id": ids.worker}),
    "list_workers": lambda ids: Asked(),
    "make_backup": lambda ids: Asked(body={}),
    "verify_data": lambda ids: Asked(),
    "put_graph": lambda ids: Asked(
        body={
            "lease": {"execution_id": ids.running, "epoch": 1, "lease_token": TOKEN},
            "checkpoints": [graph_checkpoint(ids) | {"checkpoint_id": "2"}],
        }
    ),
    "find_graph_checkpoint": lambda ids: Asked(body={"thread_id": ids.thread}),
    "list_graph_checkpoints": lambda ids: Asked(body={"thread_id": ids.thread}),
    "delete_graph_thread": lambda ids: Asked(body={"thread_id": ids.thread}),
    "delete_graph_runs": lambda ids: Asked(body={"run_ids": [ids.run]}),
    "copy_graph_thread": lambda ids: Asked(
        body={"source_thread_id": ids.thread, "target_thread_id": "of-a-stranger"}
    ),
    "prune_graph_threads": lambda ids: Asked(body={"thread_ids": [ids.thread], "strategy": "delete"}),
}

SEEN_BY_THE_OWNER = (
    "/v1/executions",
    "/v1/executions/{failed}",
    "/v1/executions/{running}",
    "/v1/executions/{queued}",
    "/v1/executions/{failed}/events",
    "/v1/executions/{running}/events",
    "/v1/executions/{failed}/effects",
    "/v1/failures/{failure}",
    "/v1/breakers",
    "/v1/usage",
    "/v1/keys",
    "/v1/workers",
    "/v1/settings/retention",
    "/v1/members",
    "/v1/invitations",
    "/v1/alerts/rules",
    "/v1/alerts/deliveries",
    "/v1/webhooks",
    "/v1/secrets",
    "/v1/workflows",
    "/v1/credits",
    "/v1/credits/history",
    "/v1/credits/topups",
)


class Walk:
    """A server with an owner who has one of everything; every request is made to look like a plain call."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.opened = open_app_client(test_settings(Path(self.folder.name)))
        self.owner: AppClient = self.runner.run(self.opened.__aenter__())
        self.ids = Ids(
            worker="worker-private", breaker="breaker-private", thread="thread-private", run="run-private"
        )
        self.ids.usage, self.ids.step = "usage-private", "step-private"
        self._fill()
        self.settle(self.owner)

    def close(self) -> None:
        self.runner.run(self.opened.__aexit__(None, None, None))
        self.runner.close()
        self.folder.cleanup()

    def stranger(self) -> AppClient:
        """Return the owner of a tenant that has nothing yet."""
        client = self.runner.run(self.owner.new_tenant(f"stranger {uuid.uuid4()}"))
        self.settle(client)
        return client

    def settle(self, client: AppClient) -> None:
        """Use the client's key and wait until that is noted, because keys show when they were used last."""
        self.runner.run(client.get("/v1/whoami"))
        self.runner.run(client.server.auth.close())

    def send(
        self, client: AppClient, method: str, path: str, body: object = None, query: Query | None = None
    ):
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        sent = {} if body is None else {"json": body}
        return self.runner.run(client.request(method, path, params=query, headers=headers, **sent))

    def ask(self, client: AppClient, endpoint: Endpoint, ids: Ids):
        """Send the endpoint's request with `ids` in all places."""
        asked, path = ARGUMENTS[endpoint.name](ids), endpoint.path
        for name, value in zip(endpoint.path_parameters, asked.path, strict=True):
            path = path.replace(f"{{{name}}}", value)
        return self.send(client, endpoint.method, path, asked.body, asked.query)

    def snapshot(self) -> str:
        """Return everything that the owner sees."""
        replies = [self.get(path.format(**vars(self.ids))) for path in SEEN_BY_THE_OWNER]
        found = self.post("/v1/graphs/list", {"thread_id": self.ids.thread})
        return "\n".join(str(each) for each in [*replies, found])

    def get(self, path: str) -> dict[str, object]:
        return self._good(self.send(self.owner, "GET", path))

    def post(self, path: str, body: object) -> dict[str, object]:
        return self._good(self.send(self.owner, "POST", path, body))

    def _good(self, reply) -> dict[str, object]:
        assert reply.status_code in (200, 201), reply.text
        return reply.json()

    def _write(self, execution_id: str, *writes: dict[str, object]) -> list[dict[str, object]]:
        results = self.post("/v1/writes", {"groups": [group(execution_id, *writes)]})["groups"][0]["results"]
        assert [each["problem"] for each in results] == [None] * len(writes)
        return results

    def _invite(self) -> None:
        """Make a member with a session, and an invitation that nobody has used."""
        invitation = {"role": "viewer", "note": PRIVATE}
        made = self.post("/v1/invitations", invitation)
        name = f"{PRIVATE}-{uuid.uuid4().hex}"  # a person's name is the server's: one of each
        joining = {"user": name, "password": PASSWORD, "invitation": made["invitation_token"]}
        session = self.post("/v1/sign-up", joining)
        self.ids.user, self.ids.session = session["user_id"], session["session_id"]
        self.ids.invitation = self.post("/v1/invitations", invitation)["id"]

    def _charge(self) -> int:
        """Charge the owner something, and return the entry's number."""
        tenant_id = self.owner.key.tenant_id
        about = About(note=PRIVATE)
        db = self.owner.server.db
        self.runner.run(db.write(lambda tx: holds.spend(tx, tenant_id, "nothing held", 5, about)))
        return self.get("/v1/credits/history?unfolded=true")["items"][0]["seq"]

    def _fill(self) -> None:
        ids = self.ids
        start = {"workflow": PRIVATE, "driver": "local", "input": PRIVATE, "input_digest": DIGEST}
        for execution_id in (ids.failed, ids.running):
            self.post(
                "/v1/executions", start | {"id": execution_id, "lease_token": TOKEN, "process": PROCESS}
            )
            self._write(
                execution_id,
                step_write(
                    ids.step, type="step.completed", output=PRIVATE, usage=[usage(execution_id, None)]
                ),
            )
        effect = self._write(ids.failed, step_write("e", type="effect.intended", kind="effect"))[0]["effect"]
        ids.effect = effect["effect_key"]
        error = {"type": "ValueError", "message": PRIVATE}
        line = {"at_us": 1, "stream": "stdout", "text": PRIVATE}
        self._write(
            ids.failed,
            {"type": "checkpoint.saved", "id": ids.checkpoint, "name": PRIVATE, "state": PRIVATE, "at_us": 1},
            {"type": "log.written", "path": ids.step, "attempt": 1, "chunk": 0, "lines": [line]},
            step_write(
                "e", type="effect.ended", kind="effect", effect_key=ids.effect, state="done", output=1
            ),
            step_write("f", type="step.attempt_failed", error=error),
            {"type": "execution.failed", "path": "f", "error": error},
        )
        self.post("/v1/workers/claim", claim(ids))
        self.post("/v1/executions", start | {"id": ids.queued, "driver": "worker"})
        child = {"id": new_id("ex", 1), "driver": "worker", "parent_id": ids.running, "parent_path": "c"}
        self.post("/v1/executions", start | child)
        self.post(f"/v1/executions/{ids.failed}/replay", {"from_step": "f"})
        again = new_id("ex", 1)  # the replay closed the failure; this opens it
        self.post("/v1/executions", start | {"id": again, "lease_token": TOKEN, "process": PROCESS})
        failed = {"type": "execution.failed", "path": "f", "error": error}
        self._write(again, step_write("f", type="step.attempt_failed", error=error), failed)
        ids.key = self.post("/v1/keys", {"name": PRIVATE})["api_key_id"]
        ids.entry = f"{self._charge():018}"
        ids.payment = self.post("/v1/credits/topups", {"usd": 20, "reference": PRIVATE})["id"]
        self.post(f"/v1/breakers/{ids.breaker}", {"state": "open", "reason": PRIVATE})
        self.post("/v1/usage", usage(ids.usage, ids.running))
        self.post("/v1/graphs/put", {"checkpoints": [graph_checkpoint(ids)]})
        ids.failure = self.get("/v1/failures")["items"][0]["id"]
        rule = {"name": PRIVATE, "channel": "webhook", "destination": "https://example.com/private"}
        ids.rule = self.post("/v1/alerts/rules", rule)["id"]
        ids.delivery = self.post(f"/v1/alerts/rules/{ids.rule}/test", None)["id"]
        self._invite()
        own = f"{PRIVATE}-{ids.running[-8:]}"  # there is one of each name, and this is called again
        planned = {"name": own, "workflow": PRIVATE, "cron": "0 0 1 1 *", "input": PRIVATE}
        ids.schedule = self.post("/v1/schedules", planned)["id"]
        hook = {"name": own, "workflow": PRIVATE, "kind": "webhook"}
        ids.trigger = self.post("/v1/triggers", hook)["id"]
        target = {"name": own, "url": "https://127.0.0.1:9/private", "handlers": [PRIVATE]}
        ids.webhook = self.post("/v1/webhooks", target)["id"]
        ids.workflow = f"workflow-private-{ids.running[-8:]}"
        self.post("/v1/workflows", {"document": workflow(ids.workflow), "note": PRIVATE})
        self._good(self.send(self.owner, "PUT", f"/v1/workflows/{ids.workflow}/tags/{PRIVATE}", {}))
        ids.secret = "secret_private"
        self._good(self.send(self.owner, "PUT", f"/v1/secrets/{ids.secret}", {"value": PRIVATE}))
