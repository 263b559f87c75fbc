"""Steps: what is recorded of each path. One row of a path is live; replaced ones have a `superseded_seq`.

Owns the upsert that a completed step costs, superseding, and pages. Which record may replace which is
decided in engine/steps.py. Paths are compared by their bytes, so everything inside `a` lies between `a/` and
`a0`.
"""

from __future__ import annotations

from dataclasses import fields
from operator import attrgetter

from omium.server.db.light import light
from omium.server.db.tx import Sql, SqlValue, Tx

_USUALLY_COMPARABLE = "full"


@light(frozen=True, slots=True)
class StepRow:
    """A row of `steps`. `input` and `output` are value columns, `error` is JSON, redacted."""

    execution_id: str
    path: str
    name: str
    occurrence: int
    explicit_key: int
    kind: str
    generation: int
    epoch: int
    status: str
    attempt: int
    interruptions: int
    input: bytes | None
    input_digest: str
    comparable: str
    output: bytes | None
    output_digest: str | None
    error: bytes | None
    effect_key: str | None
    reused_from: str | None
    edited_by: str | None
    started_us: int
    ended_us: int
    completed_seq: int | None
    superseded_seq: int | None

    def __post_init__(self) -> None:
        """Tell what the table keeps short: digests as bytes, the usual `name` and `comparable` as NULL."""
        input_digest, output_digest, name, comparable = _kept_short(self)
        if isinstance(input_digest, bytes):
            object.__setattr__(self, "input_digest", input_digest.hex())
        if isinstance(output_digest, bytes):
            object.__setattr__(self, "output_digest", output_digest.hex())
        if name is None:
            object.__setattr__(self, "name", _usual_name(self.path, self.occurrence))
        if comparable is None:
            object.__setattr__(self, "comparable", _USUALLY_COMPARABLE)


_NAMES = tuple(field.name for field in fields(StepRow))
_take_apart = attrgetter(*_NAMES)
_kept_short = attrgetter("input_digest", "output_digest", "name", "comparable")
COLUMNS = ", ".join(_NAMES)
_REPLACED = tuple(
    name for name in _NAMES if name not in {"execution_id", "path", "interruptions", "superseded_seq"}
)

PUT = Sql(f"""
    INSERT INTO steps ({COLUMNS}) VALUES ({", ".join(f":{name}" for name in _NAMES)})
    ON CONFLICT (execution_id, path, COALESCE(superseded_seq, 0)) DO UPDATE
       SET {", ".join(f"{name} = excluded.{name}" for name in _REPLACED)}
     WHERE steps.status <> 'completed' AND steps.attempt < excluded.attempt
""")  # a result is recorded once; a later try replaces what is known of the earlier ones


def put_step(tx: Tx, row: StepRow) -> bool:
    """Record the row as the live one of its path; False if a result, or this try, is recorded already."""
    return tx.execute(PUT, **column_values(row)) == 1


def column_values(row: StepRow) -> dict[str, SqlValue]:
    """Return every column of `row` by name, as `PUT` takes it."""
    values: dict[str, SqlValue] = dict(zip(_NAMES, _take_apart(row), strict=True))
    values["input_digest"] = bytes.fromhex(row.input_digest)
    if row.output_digest is not None:
        values["output_digest"] = bytes.fromhex(row.output_digest)
    if row.name == _usual_name(row.path, row.occurrence):
        values["name"] = None
    if row.comparable == _USUALLY_COMPARABLE:
        values["comparable"] = None
    return values


def _usual_name(path: str, occurrence: int) -> str:
    """Return the last name of `path`, without the number of its occurrence."""
    last = path.rpartition("/")[2]
    return last.removesuffix(f"#{occurrence}") if occurrence > 1 else last


FIND_LIVE = Sql(f"""
    SELECT {COLUMNS} FROM steps
     WHERE execution_id = :execution_id AND path = :path AND superseded_seq IS NULL
""")


def find_live_step(tx: Tx, execution_id: str, path: str) -> StepRow | None:
    return tx.one_or_none(FIND_LIVE, StepRow, execution_id=execution_id, path=path)


@light(frozen=True, slots=True)
class ResultRow:
    """What a later step reads of a record: `output` is a value column, `error` JSON."""

    status: str
    output: bytes | None
    error: bytes | None


FIND_RESULT = Sql("""
    SELECT status, output, error FROM steps
     WHERE execution_id = :execution_id AND path = :path AND superseded_seq IS NULL
""")


def find_result(tx: Tx, execution_id: str, path: str) -> ResultRow | None:
    """Return what the live record of a path says that came of it, or None."""
    return tx.one_or_none(FIND_RESULT, ResultRow, execution_id=execution_id, path=path)


SUPERSEDE = Sql("""
    UPDATE steps SET superseded_seq = :seq
     WHERE execution_id = :execution_id AND path = :path AND superseded_seq IS NULL
""")


def supersede_step(tx: Tx, execution_id: str, path: str, seq: int) -> bool:
    """Take the live row of a path out of what a resume sees; the event `seq` says why."""
    return tx.execute(SUPERSEDE, execution_id=execution_id, path=path, seq=seq) == 1


SUPERSEDE_INSIDE = Sql("""
    UPDATE steps SET superseded_seq = :seq
     WHERE execution_id = :execution_id AND path > :lowest AND path < :beyond
       AND superseded_seq IS NULL AND kind <> 'effect'
""")


def supersede_inside(tx: Tx, execution_id: str, path: str, seq: int) -> int:
    """Supersede the live plain records inside the scope `path`, at any depth, but no effects."""
    lowest, beyond = scope_bounds(path)
    return tx.execute(SUPERSEDE_INSIDE, execution_id=execution_id, lowest=lowest, beyond=beyond, seq=seq)


LIST_INSIDE = Sql(f"""
    SELECT {COLUMNS} FROM steps
     WHERE execution_id = :execution_id AND path > :lowest AND path < :beyond AND superseded_seq IS NULL
     ORDER BY path
     LIMIT :limit
""")


def list_inside(tx: Tx, execution_id: str, path: str, *, limit: int) -> list[StepRow]:
    """Return up to `limit` live rows inside the scope `path`, in the order of their paths."""
    lowest, beyond = scope_bounds(path)
    return tx.all(LIST_INSIDE, StepRow, execution_id=execution_id, lowest=lowest, beyond=beyond, limit=limit)


COUNT_INTERRUPTION = Sql("""
    UPDATE steps SET interruptions = interruptions + 1
     WHERE execution_id = :execution_id AND status = 'retrying' AND superseded_seq IS NULL
""")


def count_interruption(tx: Tx, execution_id: str) -> None:
    """Count that the driver was lost between two tries of the steps that are being retried."""
    tx.execute(COUNT_INTERRUPTION, execution_id=execution_id)


def scope_bounds(path: str) -> tuple[str, str]:
    """Return bounds, both excluded, between which exactly the paths inside `path` lie."""
    return f"{path}/", f"{path}0"  # "0" is the character after "/"; an empty name does not exist


LIST_LIVE = Sql(f"""
    SELECT {COLUMNS} FROM steps
     WHERE execution_id = :execution_id AND superseded_seq IS NULL AND path > :after_path
     ORDER BY path
     LIMIT :limit
""")


def list_live_steps(tx: Tx, execution_id: str, *, after_path: str = "", limit: int) -> list[StepRow]:
    """Return up to `limit` live rows, in the order of their paths."""
    return tx.all(LIST_LIVE, StepRow, execution_id=execution_id, after_path=after_path, limit=limit)


LIST = Sql(f"""
    SELECT {COLUMNS} FROM steps
     WHERE execution_id = :execution_id
       AND (started_us, path, generation, attempt) > (:us, :path, :generation, :attempt)
       AND COALESCE(superseded_seq, 0) <> 1
     ORDER BY started_us, path, generation, attempt
     LIMIT :limit
""")


def list_steps(
    tx: Tx, execution_id: str, *, after: tuple[int, str, int, int] = (-1, "", 0, 0), limit: int
) -> list[StepRow]:
    """Return up to `limit` rows by their start, superseded ones too; none that a replay has laid by.

    `after` is (started_us, path, generation, attempt) of the last row of the page before.
    """
    us, path, generation, attempt = after
    return tx.all(
        LIST,
        StepRow,
        execution_id=execution_id,
        us=us,
        path=path,
        generation=generation,
        attempt=attempt,
        limit=limit,
    )
