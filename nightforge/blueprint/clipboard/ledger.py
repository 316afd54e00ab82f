"""What went in and what came out of a translation, counted on the raw text and on the written program."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from nightforge.blueprint.clipboard.errors import ClipboardError


@dataclass(slots=True)
class Ledger:
    """Counts of one text, in and kept; `missing` names what differs.

    nodes: nodes without knots and comment boxes. wires: after the knots are taken out. defaults: literals the
    author set. names: functions, events, variables, macros, ... by name.
    """

    nodes_in: int = 0
    nodes_kept: int = 0
    knots: int = 0
    comments_in: int = 0
    comments_kept: int = 0
    wires_in: int = 0
    wires_kept: int = 0
    wires_stated: int = 0
    links_outside: int = 0
    defaults_in: int = 0
    defaults_kept: int = 0
    names_in: int = 0
    names_kept: int = 0
    opaque: Counter[str] = field(default_factory=Counter)
    known: Counter[str] = field(default_factory=Counter)
    missing: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, object]:
        """Return the counts as JSON."""
        counts: dict[str, object] = {
            name: getattr(self, name) for name in self.__slots__ if isinstance(getattr(self, name), int)
        }
        return {
            **counts,
            "opaque": dict(sorted(self.opaque.items())),
            "known": dict(sorted(self.known.items())),
        }

    def add(self, other: Ledger) -> None:
        """Add the counts of another text."""
        for name in self.__slots__:
            mine, theirs = getattr(self, name), getattr(other, name)
            if isinstance(mine, Counter):
                mine.update(theirs)
            else:
                setattr(self, name, mine + theirs)

    def demand_all(self) -> None:
        """Raise ClipboardError naming what is missing, if anything is."""
        pairs = ("nodes", "comments", "wires", "defaults", "names")
        lost = [
            f"{getattr(self, f'{what}_in')} {what} in, {getattr(self, f'{what}_kept')} kept"
            for what in pairs
            if getattr(self, f"{what}_in") != getattr(self, f"{what}_kept")
        ]
        if lost or self.missing:
            shown = "; ".join([*lost, *self.missing[:5]])
            more = f" and {len(self.missing) - 5} more" if len(self.missing) > 5 else ""
            raise ClipboardError("CLIP109", f"the program would not hold all of the text: {shown}{more}")
