"""Which commands there are, in the order of `omium --help`, and where the code of each is.

Only this table is read before it is known which command is meant: later.py loads that one and no other. A
command's words here are the first sentence of its own; tests/cli/test_later.py compares them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Place:
    """A command's name, the module of `omium.cli` and the function or `typer.Typer` in it, its first words.

    `more` are commands of a group that are not in the group's own module.
    """

    name: str
    where: str
    help: str
    more: tuple[Place, ...] = ()

    @property
    def module(self) -> str:
        """The module that the command is in."""
        return f"omium.cli.{self.where.partition(':')[0]}"


COMMANDS: Final = (
    Place("serve", "serve:serve", "Run the server until it is stopped."),
    Place("init", "init:init", "Connect this machine to a server."),
    Place("signup", "login:signup", "Become a user."),
    Place("login", "login:login", "Log in, and keep the session in the profile."),
    Place("logout", "login:logout", "Forget what a profile holds."),
    Place("passwd", "login:passwd", "Set another password."),
    Place("delete-account", "login:delete_account", "Delete your account on this server."),
    Place("whoami", "status:whoami", "Show whose key is used here, and what it may do."),
    Place("status", "status:status", "Show what runs, what failed, and what to do first."),
    Place("doctor", "doctor:doctor", "Check installation, server, key, clock, disk and spool."),
    Place("tui", "tui:tui", "Open the dashboard, in this terminal or a browser."),
    Place("docs", "docs:docs", "Read the documentation."),
    Place("run", "worker:run", "Run a workflow on a worker, or from a file here."),
    Place("worker", "worker:worker", "Serve workflows and handlers until stopped."),
    Place("workers", "workers:list_workers", "List the workers, and what they serve."),
    Place("slots", "workers:list_slots", "List who runs under a concurrency key, and who waits."),
    Place(
        "export", "framework_export:export_found", "Export a crew, graph, pipeline or agent as a workflow."
    ),
    Place("export-crew", "framework_export:export_crew", "Export a crew or a flow of CrewAI as a workflow."),
    Place(
        "export-langgraph", "framework_export:export_langgraph", "Export a graph of LangGraph as a workflow."
    ),
    Place("export-sematic", "framework_export:export_sematic", "Export a pipeline of Sematic as a workflow."),
    Place("attach", "attach:attach", "Show or import the runs that LangGraph or CrewAI stored."),
    Place("resume", "resume:resume", "Go on with an execution, keeping every recorded step."),
    Place("replay", "replay:replay", "Run an execution anew, with edits; shows the plan first."),
    Place("rollback", "rollback:rollback", "Take an execution back to an earlier point."),
    Place("decide", "effects:decide", "Decide about an effect with an unknown outcome."),
    Place("signal", "approvals:signal", "Tell an execution something by name."),
    Place("pause", "cancel:pause", "Ask that an execution pause."),
    Place("cancel", "cancel:cancel", "Ask that an execution stop."),
    Place("logs", "logs:show_logs", "Show what an execution's steps printed and logged."),
    Place(
        "workflows",
        "workflows:app",
        "Import workflows, look at them, edit, compare, run.",
        (
            Place("import", "workflow_documents:import_document", "Import a workflow from a JSON document."),
            Place(
                "export",
                "workflow_documents:export_document",
                "Print a workflow's document, as it can be imported again.",
            ),
            Place("edit", "workflow_editing:edit", "Edit a workflow with $VISUAL or $EDITOR."),
            Place("graph", "workflow_documents:graph", "Draw a workflow's graph."),
            Place(
                "diff",
                "workflow_documents:diff",
                "Say what a version changed: nodes, edges, agents, prompts.",
            ),
            Place("validate", "workflow_documents:validate", "Say everything that is wrong with a document."),
            Place("run", "worker:run", "Run a workflow on a worker, or from a file here."),
        ),
    ),
    Place(
        "executions",
        "executions:app",
        "Look at executions, and what happened in them.",
        (
            Place("diff", "execution_diff:diff_executions", "Compare two executions step by step."),
            Place("output", "recorded:show_output", "Print what a step returned, whole."),
            Place("effects", "effects:list_effects", "List the side effects that an execution announced."),
            Place(
                "compensations",
                "effects:list_compensations",
                "List the compensations of an execution's rollbacks.",
            ),
        ),
    ),
    Place(
        "failures",
        "failures:app",
        "Work through the failure inbox.",
        (
            Place(
                "rollback",
                "failure_rollback:rollback_failure",
                "Take a failed execution back to before what failed.",
            ),
        ),
    ),
    Place("breakers", "workers:app", "See and set circuit breakers."),
    Place(
        "keys",
        "keys:app",
        "Manage API keys: their life, their caps, what they used.",
        (
            Place("rotate", "key_secrets:rotate_key", "Give a key a new secret, shown this once."),
            Place(
                "revoke",
                "key_secrets:revoke_key",
                "Revoke a key, at once and for good; what it started is paused.",
            ),
            Place("usage", "key_usage:show_usage", "Show what a key has used."),
            Place("token", "key_secrets:exchange_key", "Exchange the key in use for a token."),
        ),
    ),
    Place(
        "credits",
        "credits:app",
        "See, buy and book credits; choose a plan.",
        (Place("estimate", "estimate:estimate", "Say what an execution costs."),),
    ),
    Place(
        "prices",
        "prices:app",
        "See and change what things cost.",
        (
            Place("diff", "price_changes:diff", "Say what a version or a file changes."),
            Place("edit", "price_changes:edit", "Edit the price book with $VISUAL or $EDITOR."),
            Place("set", "price_changes:set_book", "Put the price book of a file into force."),
            Place("restore", "price_changes:restore", "Put an earlier price book into force again."),
        ),
    ),
    Place("providers", "providers:app", "Name the models' servers that workflows use, test."),
    Place("secrets", "secrets:app", "Set named secrets, list, delete."),
    Place("alerts", "alerts:app", "Say who is told what happens."),
    Place("approvals", "approvals:app", "Decide what waits for a person."),
    Place("webhooks", "webhooks:app", "Push nodes to your own services."),
    Place("analytics", "analytics:app", "Usage, errors and savings over time."),
    Place("audit", "audit:app", "See who did what; export, verify."),
    Place("profiles", "profiles:app", "Choose between servers: profiles of this machine."),
    Place("sessions", "sessions:app", "See and end your sessions."),
    Place("members", "members:app", "Manage who is in the tenant, and their roles."),
    Place("tenants", "tenants:app", "Create, switch, rename and delete tenants."),
    Place("users", "users:app", "Look after the users of a server that is stopped."),
    Place("schedules", "schedules:app", "Start workflows again and again."),
    Place("triggers", "triggers:app", "Start workflows for a webhook, or after another one."),
    Place("db", "db:app", "Look after the database and its backups."),
    Place("bundle", "bundle:app", "Put an execution into one file; open one."),
)
