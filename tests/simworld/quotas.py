"""Quotas: at no moment are more workspaces of one owner handed machines than their pool allows."""

from collections.abc import Callable, Iterable

from fakes.apiserver.storage import Json

_RESTING = ("Stopped", "Archiving", "Archived")


class QuotaLaw:
    """Judges every workspace that is handed a machine; a quota that is lowered takes none away."""

    def __init__(self, breach: Callable[[int | str, str], None]) -> None:
        self._breach = breach

    def published(self, workspace: Json, *, others: Iterable[Json], pool: Json | None) -> None:
        """Judge that a workspace was handed a machine while these others live."""
        most = ((pool or {"spec": {}})["spec"].get("quota") or {}).get("maxRunningPerOwner")
        if most is None:
            return
        mine = [other for other in (workspace, *others) if _runs(other) and _place(other) == _place(workspace)]
        if len(mine) > most:
            names = sorted(other["metadata"]["name"] for other in mine)
            self._breach("of quotas", f"{names} of {workspace['spec']['owner']} run, {most} may")


def _runs(workspace: Json) -> bool:
    status = workspace.get("status", {})
    return bool(status.get("machine")) and status.get("phase") not in _RESTING


def _place(workspace: Json) -> tuple[str, str]:
    return workspace["spec"]["pool"], workspace["spec"]["owner"]
