"""The application: which commands there are, in the order of `omium --help`.

What a command does is in the module of its noun, and what it loads it loads when it runs, so that
`omium --help` takes hardly longer than Python itself. How commands end is main.py's.
"""

from __future__ import annotations

from typing import Annotated

import typer

from omium import __version__
from omium.cli import (
    alerts,
    analytics,
    approvals,
    attach,
    audit,
    cancel,
    credits,
    db,
    doctor,
    effects,
    estimate,
    execution_diff,
    executions,
    failure_rollback,
    failures,
    framework_export,
    init,
    key_secrets,
    key_usage,
    keys,
    login,
    logs,
    members,
    price_changes,
    prices,
    profiles,
    providers,
    recorded,
    replay,
    resume,
    rollback,
    schedules,
    secrets,
    serve,
    sessions,
    status,
    tenants,
    triggers,
    users,
    webhooks,
    worker,
    workers,
    workflow_documents,
    workflow_editing,
    workflows,
)

app = typer.Typer(
    name="omium",
    help="Omium: the reliability operating system for multi-agent AI.",
    no_args_is_help=True,
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("serve")(serve.serve)
app.command("init")(init.init)
app.command("signup")(login.signup)
app.command("login")(login.login)
app.command("logout")(login.logout)
app.command("passwd")(login.passwd)
app.command("delete-account")(login.delete_account)
app.command("whoami")(status.whoami)
app.command("status")(status.status)
app.command("doctor")(doctor.doctor)
app.command("run")(worker.run)
app.command("worker")(worker.worker)
app.command("workers")(workers.list_workers)
app.command("export")(framework_export.export_found)
app.command("export-crew")(framework_export.export_crew)
app.command("export-langgraph")(framework_export.export_langgraph)
app.command("export-sematic")(framework_export.export_sematic)
app.command("attach")(attach.attach)
app.command("resume")(resume.resume)
app.command("replay")(replay.replay)
app.command("rollback")(rollback.rollback)
app.command("decide")(effects.decide)
app.command("signal")(approvals.signal)
app.command("pause")(cancel.pause)
app.command("cancel")(cancel.cancel)
app.command("logs")(logs.show_logs)
credits.app.command("estimate")(estimate.estimate)
executions.app.command("diff")(execution_diff.diff_executions)
executions.app.command("output")(recorded.show_output)
executions.app.command("effects")(effects.list_effects)
executions.app.command("compensations")(effects.list_compensations)
failures.app.command("rollback")(failure_rollback.rollback_failure)
keys.app.command("rotate")(key_secrets.rotate_key)
keys.app.command("revoke")(key_secrets.revoke_key)
keys.app.command("usage")(key_usage.show_usage)
keys.app.command("token")(key_secrets.exchange_key)
prices.app.command("diff")(price_changes.diff)
prices.app.command("edit")(price_changes.edit)
prices.app.command("set")(price_changes.set_book)
prices.app.command("restore")(price_changes.restore)
workflows.app.command("import")(workflow_documents.import_document)
workflows.app.command("export")(workflow_documents.export_document)
workflows.app.command("edit")(workflow_editing.edit)
workflows.app.command("graph")(workflow_documents.graph)
workflows.app.command("diff")(workflow_documents.diff)
workflows.app.command("validate")(workflow_documents.validate)
workflows.app.command("run")(worker.run)
app.add_typer(workflows.app, name="workflows")
app.add_typer(executions.app, name="executions")
app.add_typer(failures.app, name="failures")
app.add_typer(workers.app, name="breakers")
app.add_typer(keys.app, name="keys")
app.add_typer(credits.app, name="credits")
app.add_typer(prices.app, name="prices")
app.add_typer(providers.app, name="providers")
app.add_typer(secrets.app, name="secrets")
app.add_typer(alerts.app, name="alerts")
app.add_typer(approvals.app, name="approvals")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(analytics.app, name="analytics")
app.add_typer(audit.app, name="audit")
app.add_typer(profiles.app, name="profiles")
app.add_typer(sessions.app, name="sessions")
app.add_typer(members.app, name="members")
app.add_typer(tenants.app, name="tenants")
app.add_typer(users.app, name="users")
app.add_typer(schedules.app, name="schedules")
app.add_typer(triggers.app, name="triggers")
app.add_typer(db.app, name="db")


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", is_eager=True)
    ] = False,
) -> None:
    """Omium: the reliability operating system for multi-agent AI."""
    if version:
        print(__version__)
        raise typer.Exit
