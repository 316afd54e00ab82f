"""Proves a matching of nodes best, or finds a better one: branch and bound over nodes of one type and graph.

The bound is what could still be won: a wire counts as long as both programs have one of its kind left, either
between two open nodes of the right types or at a node whose partner is known. A node whose every partner but
one is refuted by the bound is settled at once. a is a wanted node, b a given one, both by index.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

OPEN, NOBODY = -2, -1  # not decided yet; stays without a partner
EPSILON = 1e-12

Pair = tuple[int, int]
Gains = tuple[int, int, int]  # wires of a node to itself, equal values, shared values
How = tuple[str, str, str]  # kind of a wire, source pin, target pin
Joined = tuple[int, int, How]  # source, target, how: a wire as the search sees it
Edge = tuple[int, int, int, int]  # neighbour, key of the wire here and at the neighbour, its kind
Domains = dict[int, list[int]]


@dataclass(frozen=True, slots=True)
class Worth:
    """What a matching is worth: wires times a gain, and right properties over those of both programs."""

    wire_gain: float
    property_gain: float
    right: int  # right properties that belong to no node
    total: int  # properties of both programs, those of nodes counted on each side

    def of(self, wires: int, right: int, shared: int) -> float:
        """Return the worth of equal wires, equal values, and values named on both sides of a pair."""
        total = self.total - shared
        return self.wire_gain * wires + (self.property_gain * (self.right + right) / total if total else 0.0)


@dataclass(frozen=True, slots=True)
class Task:
    """Two programs to match: the group of each node (-1: no partner possible), wires, values per pair.

    `values` holds for each pair of nodes of one group how many values are equal and how many are shared.
    """

    wanted_groups: Sequence[int]
    given_groups: Sequence[int]
    wanted_wires: Sequence[Joined]
    given_wires: Sequence[Joined]
    values: Mapping[Pair, Pair]
    worth: Worth


class _BudgetSpentError(Exception):
    """The search has tried as many pairs as it may."""


def search(task: Task, guesses: Iterable[Mapping[int, int]], budget: int) -> tuple[dict[int, int], bool]:
    """Return the best matching and whether it is proven best.

    It starts from the best guess; a guess that cannot be beaten ends it, and later ones are not asked for.
    `budget` counts the pairs that are tried, about 12 microseconds each.
    """
    finder = _Search(task, budget)
    for guess in guesses:
        if finder.offer(guess):
            return finder.best, True
    try:
        domains = finder.start()
        finder.branch(domains, set(domains))
    except _BudgetSpentError:
        return finder.best, False
    return finder.best, True


def worth_of(task: Task, mapping: Mapping[int, int]) -> float:
    """Return what a matching is worth; a repeated wire counts as often as both programs have it."""
    left = Counter(task.given_wires)
    wires = 0
    for (source, target, kind), count in Counter(task.wanted_wires).items():
        if source in mapping and target in mapping:
            wires += min(count, left[mapping[source], mapping[target], kind])
    found = [task.values[pair] for pair in mapping.items()]
    return task.worth.of(wires, sum(right for right, _ in found), sum(shared for _, shared in found))


class _Side:
    """One program on the board: whose partner is whose, its wires, and how many of each kind are open."""

    def __init__(self, groups: Sequence[int], wires: Sequence[Joined], names: dict[object, int]) -> None:
        self.groups = groups
        self.partner = [OPEN if group >= 0 else NOBODY for group in groups]
        self.edges: list[list[Edge]] = [[] for _ in groups]
        self.loops: dict[int, Counter[How]] = defaultdict(Counter)  # wires of a node to itself
        self.between: dict[Pair, list[int]] = defaultdict(list)  # keys of the wires of one node to another
        self.kinds: list[int] = []  # wires of a kind between two open nodes
        self.waiting: list[int] = []  # wires of a key that wait at a settled pair
        for source, target, how in wires:
            ends = (groups[source], groups[target])
            if source < 0 or target < 0 or min(ends) < 0:
                continue
            if source == target:
                self.loops[source][how] += 1
                continue
            out = names.setdefault(("out", how, ends), len(names))
            into = names.setdefault(("in", how, ends), len(names))
            self.edges[source].append((target, out, into, out))
            self.edges[target].append((source, into, out, out))
            self.between[source, target].append(out)
            self.between[target, source].append(into)
        self.neighbours = [sorted({edge[0] for edge in row}) for row in self.edges]

    def count(self, kinds: int, nodes: int) -> None:
        """Count the wires of each kind, all of them open; make room for those that wait at given nodes."""
        self.kinds, self.waiting = [0] * kinds, [0] * (kinds * nodes)
        for row in self.edges:
            for _, key, _, kind in row:
                self.kinds[kind] += key == kind  # each wire once: at its source


class _Board:
    """The pairs settled so far and what open nodes could still win; settling and releasing are inverses."""

    def __init__(self, task: Task) -> None:
        names: dict[object, int] = {}
        self.worth = task.worth
        self.wanted = _Side(task.wanted_groups, task.wanted_wires, names)
        self.given = _Side(task.given_groups, task.given_wires, names)
        self.keys = len(names)
        for side in (self.wanted, self.given):
            side.count(self.keys, len(task.given_groups))
        self.possible = sum(map(min, self.wanted.kinds, self.given.kinds))
        self.won = [0, 0, 0]  # wires, equal values, shared values of the settled pairs
        self.members: dict[int, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for place, groups in enumerate((task.wanted_groups, task.given_groups)):
            for index, group in enumerate(groups):
                if group >= 0:
                    self.members[group][place].append(index)
        self.spare = {group: max(len(h) - len(t), 0) for group, (h, t) in self.members.items()}
        self.gains: dict[Pair, Gains] = {
            (a, b): (sum((self.wanted.loops[a] & self.given.loops[b]).values()), *found)
            for (a, b), found in task.values.items()
        }
        # The most that each open node can gain by itself, seen from both sides, and the sums per group.
        self.best_a = {a: self._most((a, b) for b in t) for h, t in self.members.values() for a in h}
        self.best_b = {b: self._most((a, b) for a in h) for h, t in self.members.values() for b in t}
        self.hopes = {
            group: (self._sum(self.best_a, h), self._sum(self.best_b, t))
            for group, (h, t) in self.members.items()
        }
        self.hope = [0, 0, 0]
        for group in self.members:
            self._add_hope(group, 1)

    def bound(self) -> float:
        """Return a worth that no completion of the settled pairs exceeds."""
        (wires, right, shared), (loops, equal, named) = self.won, self.hope
        return self.worth.of(wires + self.possible + loops, right + equal, shared + named)

    def settle(self, a: int, b: int) -> None:
        """Make b the partner of a; NOBODY leaves it without one."""
        self._shift(a, b, 1)
        self.wanted.partner[a] = b
        if b >= 0:
            self.given.partner[b] = a
        else:
            self.spare[self.wanted.groups[a]] -= 1

    def release(self, a: int) -> None:
        """Take back what `settle` did last."""
        b = self.wanted.partner[a]
        self.wanted.partner[a] = OPEN
        if b >= 0:
            self.given.partner[b] = OPEN
        else:
            self.spare[self.wanted.groups[a]] += 1
        self._shift(a, b, -1)

    def _shift(self, a: int, b: int, step: int) -> None:
        mine, theirs, keys = self.wanted, self.given, self.keys
        for neighbour, key, other, kind in mine.edges[a]:
            there = mine.partner[neighbour]
            if there >= 0:
                self._change(mine.waiting, theirs.waiting, there * keys + other, -step)
            elif there == OPEN:
                self._change(mine.kinds, theirs.kinds, kind, -step)
                if b >= 0:
                    self._change(mine.waiting, theirs.waiting, b * keys + key, step)
        group = mine.groups[a]
        best_a, best_b = self.hopes[group]
        self._add_hope(group, -1)
        best_a = _minus(best_a, self.best_a[a], step)
        if b >= 0:
            best_b = _minus(best_b, self.best_b[b], step)
        self.hopes[group] = (best_a, best_b)
        self._add_hope(group, 1)
        if b < 0:
            return
        for neighbour, key, other, kind in theirs.edges[b]:
            if theirs.partner[neighbour] == OPEN:
                self._change(theirs.kinds, mine.kinds, kind, -step)
                self._change(theirs.waiting, mine.waiting, b * keys + key, step)
            else:
                self._change(theirs.waiting, mine.waiting, neighbour * keys + other, -step)
        loops, right, shared = self.gains[a, b]
        self.won[0] += step * (loops + self._joined(a, b))
        self.won[1] += step * right
        self.won[2] += step * shared

    def _change(self, counts: list[int], others: list[int], key: int, by: int) -> None:
        """Change a count by one; what is possible is the sum of the smaller counts of both sides."""
        count = counts[key]
        counts[key] = count + by
        if by > 0:
            self.possible += count < others[key]
        else:
            self.possible -= count <= others[key]

    def _add_hope(self, group: int, step: int) -> None:
        mine, theirs = self.hopes[group]
        for place in range(3):
            self.hope[place] += step * min(mine[place], theirs[place])

    def _joined(self, a: int, b: int) -> int:
        """Count the wires that a and b have alike to settled pairs."""
        found = 0
        for neighbour in self.wanted.neighbours[a]:
            there = self.wanted.partner[neighbour]
            keys = self.given.between.get((b, there)) if there >= 0 else None
            if keys is not None:
                own = self.wanted.between[a, neighbour]
                if len(own) == len(keys) == 1:
                    found += own == keys
                else:
                    found += sum((Counter(own) & Counter(keys)).values())
        return found

    def _most(self, pairs: Iterable[Pair]) -> Gains:
        loops, right, shared = 0, 0, 0
        for found in map(self.gains.__getitem__, pairs):
            loops, right, shared = max(loops, found[0]), max(right, found[1]), max(shared, found[2])
        return loops, right, shared

    @staticmethod
    def _sum(best: Mapping[int, Gains], members: Iterable[int]) -> Gains:
        found = (0, 0, 0)
        for index in members:
            found = _minus(found, best[index], -1)
        return found


class _Search:
    """Goes through the pairs depth first; every pair that the bound refutes is dropped before branching."""

    def __init__(self, task: Task, budget: int) -> None:
        self.task, self.board = task, _Board(task)
        self.best: dict[int, int] = {}
        self.best_worth = -1.0
        self.budget = budget
        self.top: dict[int, float] = {}  # the bound with the most promising partner of a node
        self.twins = _twins(task, self.board)

    def offer(self, guess: Mapping[int, int]) -> bool:
        """Keep a matching that is worth more than the best one; say whether nothing can be worth more."""
        worth = worth_of(self.task, guess)
        if worth > self.best_worth:
            self.best, self.best_worth = dict(guess), worth
        return self.board.bound() <= self.best_worth + EPSILON

    def start(self) -> Domains:
        """Return the partners that each wanted node could have."""
        domains: Domains = {}
        for group, (here, there) in self.board.members.items():
            free = [NOBODY] if self.board.spare[group] else []
            domains |= {a: there + free for a in here if there}
        return domains

    def branch(self, domains: Domains, touched: set[int]) -> None:
        """Try every completion of the settled pairs that may be worth more than the best matching.

        `touched` are the open nodes whose partners the last pair may have refuted.
        """
        settled: list[int] = []
        if self.board.bound() > self.best_worth + EPSILON and self._probe(domains, touched, settled):
            if domains:
                self._split(domains)
            else:
                self.best_worth = self.board.bound()
                self.best = {a: b for a, b in enumerate(self.board.wanted.partner) if b >= 0}
        for a in reversed(settled):
            self.board.release(a)

    def _split(self, domains: Domains) -> None:
        # The node that loses most whatever its partner: its bounds refute more than those of a free one.
        a = min(domains, key=lambda index: (self.top[index], len(domains[index])))
        partners = self._promising(a, domains[a])
        tried: set[object] = set()
        for b in partners:
            twin = self.twins.get(b, b)
            if twin in tried:
                continue  # an equal node in the same place was tried
            tried.add(twin)
            self.board.settle(a, b)
            rest = {index: found for index, found in domains.items() if index != a}
            self.branch(rest, self._touched(rest, a))
            self.board.release(a)

    def _touched(self, domains: Domains, a: int) -> set[int]:
        """Return the open nodes that a settled node is wired to or shares partners with."""
        group = self.board.wanted.groups[a]
        return {
            index
            for index in domains
            if self.board.wanted.groups[index] == group or (index, a) in self.board.wanted.between
        }

    def _probe(self, domains: Domains, touched: set[int], settled: list[int]) -> bool:
        """Drop refuted partners, settle nodes with one left, till nothing changes; False: a node has none."""
        while touched:
            a = min(touched, key=lambda index: (len(domains[index]), index))
            touched.remove(a)
            partners = self._promising(a, domains[a])
            if not partners:
                return False
            domains[a] = partners
            if len(partners) == 1:
                self.board.settle(a, partners[0])
                settled.append(a)
                del domains[a]
                touched |= self._touched(domains, a)
        return True

    def _promising(self, a: int, partners: Sequence[int]) -> list[int]:
        """Return the partners that may lead to a better matching, the most promising first."""
        board = self.board
        spare = board.spare[board.wanted.groups[a]]
        found: list[tuple[float, int]] = []
        for b in partners:
            if not spare if b == NOBODY else board.given.partner[b] != OPEN:
                continue
            self.budget -= 1
            if self.budget < 0:
                raise _BudgetSpentError
            board.settle(a, b)
            bound = board.bound()
            board.release(a)
            if bound > self.best_worth + EPSILON:
                found.append((-bound, b))
        found.sort()
        self.top[a] = -found[0][0] if found else 0.0
        return [b for _, b in found]


def _minus(total: Gains, part: Gains, step: int) -> Gains:
    return total[0] - step * part[0], total[1] - step * part[1], total[2] - step * part[2]


def _twins(task: Task, board: _Board) -> dict[int, object]:
    """Return a name per given node that nodes with equal values and the very same neighbours share."""
    names: dict[int, object] = {}
    for here, there in board.members.values():
        for b in there:
            edges = tuple(sorted((neighbour, key) for neighbour, key, _, _ in board.given.edges[b]))
            names[b] = (task.given_groups[b], tuple(board.gains[a, b] for a in here), edges)
    return names
