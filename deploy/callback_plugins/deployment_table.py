"""Prints what a deployment did as a table: a line a role, with what was changed and how long it took."""

from __future__ import annotations

import time
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
    name: deployment_table
    type: aggregate
    short_description: a table of what was done, a line a role
    description: Counts tasks, changes and failures by role and prints them at the end.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Count by role."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "deployment_table"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._roles: dict[str, dict[str, Any]] = {}
        self._started = time.monotonic()
        self._since: tuple[str, float] | None = None

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self._close()
        self._since = (task._role.get_name() if task._role else "machine", time.monotonic())

    v2_playbook_on_handler_task_start = lambda self, task: self.v2_playbook_on_task_start(task, False)  # noqa: E731

    def v2_runner_on_ok(self, result: Any) -> None:
        self._count(result, "changed" if result._result.get("changed") else "ok")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._count(result, "failed")

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._close()
        line = "  {:<14}{:>6}{:>9}{:>8}{:>9}  {}"
        self._display.display("\n" + line.format("part", "ok", "changed", "failed", "seconds", "what changed"))
        for name, row in self._roles.items():
            changes = row["changes"]
            told = "; ".join(changes[:3]) + (f"; and {len(changes) - 3} more" if len(changes) > 3 else "")
            seconds = f"{row['seconds']:.1f}"
            self._display.display(line.format(name, row["ok"], row["changed"], row["failed"], seconds, told))
        total = {key: sum(row[key] for row in self._roles.values()) for key in ("ok", "changed", "failed")}
        seconds = f"{time.monotonic() - self._started:.1f}"
        self._display.display(line.format("in all", total["ok"], total["changed"], total["failed"], seconds, ""))

    def _row(self, name: str) -> dict[str, Any]:
        return self._roles.setdefault(name, {"ok": 0, "changed": 0, "failed": 0, "seconds": 0.0, "changes": []})

    def _count(self, result: Any, outcome: str) -> None:
        role = result._task._role
        row = self._row(role.get_name() if role else "machine")
        row[outcome] += 1
        if outcome == "changed":
            row["changes"].append(result._task.get_name().removeprefix(f"{role.get_name()} : ") if role else "")

    def _close(self) -> None:
        if self._since is not None:
            name, start = self._since
            self._row(name)["seconds"] += time.monotonic() - start
        self._since = None
