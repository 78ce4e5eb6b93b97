"""A Notifier that keeps what it is told."""

from hotdesk.core.notices import Notice


class Notices:
    """What people were told, in order."""

    def __init__(self) -> None:
        self.told: list[Notice] = []

    def tell(self, notice: Notice) -> None:
        self.told.append(notice)

    def reasons(self, name: str) -> list[str]:
        """Return what was told of one object."""
        return [notice.reason for notice in self.told if notice.name == name]
