"""Places the connected parts of a graph in columns: control runs to the right in straight rows.

A column is the longest way to a part along wires, loops left out (longest-path layering, as in Sugiyama et
al. 1981); parts without control move right, next to what first reads them. A run is a chain of parts along
first exec outputs. It keeps one line; what it reads hangs below it, and the runs that branch off lie below
that. Two parts never overlap because those of one column are placed one below the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from nightforge.blueprint.faces import on_grid

COLUMN_GAP, ROW_GAP, RUN_GAP = 80, 32, 48
LINE = 32  # half the height that a control line keeps free where it passes no part


@dataclass(frozen=True, slots=True)
class Part:
    """Something to place: a node, or a comment box with all that is in it; lengths in editor units."""

    width: int
    height: int
    entry: bool = False
    pure: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A wire between two parts by index; `out_y` and `in_y` are the pins below the tops of their parts."""

    source: int
    target: int
    is_exec: bool
    out_y: int
    in_y: int


@dataclass(slots=True)
class _Run:
    """A row of parts; `y` holds heights relative to the first part, `spans` the rows taken per column."""

    parent: _Run | None = None
    by: Link | None = None  # the link by which control comes here
    parts: list[int] = field(default_factory=list)
    chain: list[Link] = field(default_factory=list)  # from each part to the next one
    below: list[_Run] = field(default_factory=list)
    y: dict[int, int] = field(default_factory=dict)
    spans: dict[int, tuple[int, int]] = field(default_factory=dict)
    shift: int = 0  # of this run against its parent

    def take(self, column: int, top: int, bottom: int) -> None:
        """Keep rows of a column for this run, rounded outwards to the grid."""
        top, bottom = -on_grid(-top), on_grid(bottom)
        low, high = self.spans.get(column, (top, bottom))
        self.spans[column] = (min(low, top), max(high, bottom))

    def free_below(self, column: int, gap: int) -> int | None:
        """Return the first free height of a column, or None where the run takes nothing of it."""
        return self.spans[column][1] + gap if column in self.spans else None


def arrange(parts: Sequence[Part], links: Sequence[Link]) -> list[tuple[int, int]]:
    """Return the left upper corner of each part of one connected piece; the piece begins at (0, 0).

    Links stand in the order of their output pins; the first exec link of a part goes straight on.
    """
    columns, forward = _columns(parts, links)
    runs = _runs(parts, columns, forward)
    feeds = _feeds(parts, columns, forward, runs)
    for run in reversed(runs):  # those that branch off come before the run they leave
        _lay(run, parts, columns, feeds)
    heights = _heights(runs)
    lefts, widths = _lefts(parts, columns)
    top = min(heights.values())
    places = []
    for index, part in enumerate(parts):
        column = columns[index]
        room = widths[column] - part.width if part.pure else 0  # pure parts stand close to their readers
        places.append((lefts[column] + room, heights[index] - top))
    return places


def _columns(parts: Sequence[Part], links: Sequence[Link]) -> tuple[list[int], list[list[Link]]]:
    """Return the column of each part and the links that lead to the right, per source."""
    out: list[list[Link]] = [[] for _ in parts]
    entered = [False] * len(parts)
    for link in links:
        if link.source != link.target and not parts[link.target].entry:
            out[link.source].append(link)
            entered[link.target] = True
    order, forward = _acyclic(parts, out, entered)
    columns = [0] * len(parts)
    for index in order:
        for link in forward[index]:
            columns[link.target] = max(columns[link.target], columns[index] + 1)
    for index in reversed(order):
        if parts[index].pure and forward[index]:
            columns[index] = min(columns[link.target] for link in forward[index]) - 1
    return columns, forward


def _acyclic(
    parts: Sequence[Part], out: list[list[Link]], entered: list[bool]
) -> tuple[list[int], list[list[Link]]]:
    """Return a topological order and the links without those that close a loop, found depth first."""
    forward: list[list[Link]] = [[] for _ in parts]
    state = [0] * len(parts)  # 0 new, 1 on the way, 2 done
    finished: list[int] = []
    everything = range(len(parts))
    starts = [i for i in everything if parts[i].entry] + [i for i in everything if not entered[i]]
    for start in (*starts, *everything):
        if state[start]:
            continue
        state[start] = 1
        stack = [(start, 0)]
        while stack:
            index, done = stack.pop()
            if done == len(out[index]):
                state[index] = 2
                finished.append(index)
                continue
            stack.append((index, done + 1))
            link = out[index][done]
            if state[link.target] != 1:
                forward[index].append(link)
            if state[link.target] == 0:
                state[link.target] = 1
                stack.append((link.target, 0))
    return finished[::-1], forward


def _runs(parts: Sequence[Part], columns: list[int], forward: list[list[Link]]) -> list[_Run]:
    """Return all runs, each behind the run it leaves."""
    everything = range(len(parts))
    entered = {link.target for row in forward for link in row if link.is_exec}
    read = {index for index in everything if any(not link.is_exec for link in forward[index])}
    starts = [i for i in everything if parts[i].entry]
    starts += [i for i in everything if not parts[i].pure and i not in entered]
    starts += [i for i in everything if not parts[i].pure]
    starts += [i for i in everything if parts[i].pure and i not in read]
    claimed: set[int] = set()
    runs: list[_Run] = []
    for start in starts:
        waiting: list[tuple[int, _Run | None, Link | None]] = [(start, None, None)]
        while waiting:
            first, parent, by = waiting.pop()
            if first in claimed:
                continue
            run = _Run(parent, by)
            runs.append(run)
            if parent is not None:
                parent.below.append(run)
            following: int | None = first
            while following is not None:
                claimed.add(following)
                run.parts.append(following)
                exits = [n for n in forward[following] if n.is_exec and n.target not in claimed]
                run.chain += exits[:1]
                following = exits[0].target if exits else None
            # The last one pushed is taken first: branches of the rightmost part lie nearest to the run.
            for index in run.parts:
                exits = [link for link in forward[index] if link.is_exec and link.target not in claimed]
                waiting += [(link.target, run, link) for link in reversed(exits)]
    return runs


def _feeds(
    parts: Sequence[Part], columns: list[int], forward: list[list[Link]], runs: Iterable[_Run]
) -> dict[int, list[Link]]:
    """Return for each part the links from the pure parts that hang below it: each pure part hangs once."""
    rank = {index: place for place, index in enumerate(i for run in runs for i in run.parts)}
    feeds: dict[int, list[Link]] = {}
    for index, row in enumerate(forward):
        if parts[index].pure and index not in rank and row:
            first = min(row, key=lambda n: (columns[n.target], rank.get(n.target, len(rank)), n.in_y))
            feeds.setdefault(first.target, []).append(first)
    for links in feeds.values():
        links.sort(key=lambda link: link.in_y)
    return feeds


def _lay(run: _Run, parts: Sequence[Part], columns: list[int], feeds: dict[int, list[Link]]) -> None:
    """Set the heights within a run: its row, then what its parts read, then the runs below."""
    _lay_row(run, parts, columns)
    for consumer in list(run.parts):
        waiting = list(reversed(feeds.get(consumer, [])))
        while waiting:
            link = waiting.pop()
            column, height = columns[link.source], parts[link.source].height
            wanted = on_grid(run.y[link.target] + link.in_y - link.out_y)
            free = run.free_below(column, ROW_GAP)
            y = wanted if free is None else max(wanted, free)
            run.y[link.source] = y
            run.take(column, y, y + height)
            waiting += reversed(feeds.get(link.source, []))
    for branch in run.below:
        assert branch.by is not None
        shift = on_grid(run.y[branch.by.source] + branch.by.out_y - branch.by.in_y)
        for column, (top, _) in branch.spans.items():
            free = run.free_below(column, RUN_GAP)
            if free is not None:
                shift = max(shift, free - top)
        branch.shift = shift
        for column, (top, bottom) in branch.spans.items():
            run.take(column, top + shift, bottom + shift)


def _lay_row(run: _Run, parts: Sequence[Part], columns: list[int]) -> None:
    """Put the parts of a run on one line and keep that line free on the way to each of them."""
    links = [run.by, *run.chain]
    y = 0
    for place, index in enumerate(run.parts):
        link = links[place]
        if link is not None:
            if place:
                y = on_grid(run.y[link.source] + link.out_y - link.in_y)
            line = y + link.in_y
            for column in range(columns[link.source] + 1, columns[index]):
                run.take(column, line - LINE, line + LINE)
        run.y[index] = y
        run.take(columns[index], y, y + parts[index].height)


def _heights(runs: Sequence[_Run]) -> dict[int, int]:
    """Return the height of every part; runs that leave no other stand one below the other."""
    tops: dict[int, int] = {}
    heights: dict[int, int] = {}
    bottom = 0
    for run in runs:
        if run.parent is not None:
            tops[id(run)] = tops[id(run.parent)] + run.shift
        else:
            tops[id(run)] = bottom - min(top for top, _ in run.spans.values())
            bottom = tops[id(run)] + max(low for _, low in run.spans.values()) + RUN_GAP
        for index, y in run.y.items():
            heights[index] = tops[id(run)] + y
    return heights


def _lefts(parts: Sequence[Part], columns: list[int]) -> tuple[list[int], list[int]]:
    """Return the left edge and the width of each column."""
    widths = [0] * (max(columns) + 1)
    for column, part in zip(columns, parts, strict=True):
        widths[column] = max(widths[column], part.width)
    lefts, left = [], 0
    for width in widths:
        lefts.append(left)
        left += width + COLUMN_GAP if width else 0
    return lefts, widths
