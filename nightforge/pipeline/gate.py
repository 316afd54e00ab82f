"""May the next attempt have the GPU? Decides only; `gatekeeper.py` acts. Pure. # ops K8, O7

The gate is open when no process of ours is left over and the memory in use is near the baseline: the lowest
this project has seen on that card, not counting what processes said they held.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple


class Holder(NamedTuple):
    """A process that computes on a card; `used_mb` is None where the driver does not tell (Windows)."""

    pid: int
    used_mb: int | None


class Card(NamedTuple):
    """A GPU at one moment; memory in MB, None where the card does not tell."""

    number: int  # nvidia-smi's index: cards in the order of their PCI address
    uuid: str
    used_mb: int | None
    total_mb: int | None
    holders: tuple[Holder, ...] = ()


class Decision(NamedTuple):
    """open: go on · poll: look again soon · reap: end our leftovers · wait: somebody else has the card."""

    action: Literal["open", "poll", "reap", "wait"]
    beside: bool = False  # open although somebody else holds memory: there is enough for both


def decide(
    card: Card,
    baseline_mb: int | None,
    leftovers: int,
    waited_s: float,
    need_mb: int | None,
    settings: tuple[float, int, bool],
) -> Decision:
    """Decide from a look at the card and the number of our `leftovers` that live.

    `waited_s` counts from the first look or from the last leftover that was ended; `need_mb` is None while
    it is not known; `settings` are limit_seconds, margin_mb and share.
    """
    limit_s, margin_mb, share = settings
    crowded = card.used_mb is not None and card.used_mb > (baseline_mb or 0) + margin_mb
    if not leftovers and not crowded:
        return Decision("open")
    if not leftovers and share and _fits(card, need_mb):
        return Decision("open", beside=True)
    if waited_s < limit_s:
        return Decision("poll")
    return Decision("reap") if leftovers else Decision("wait")


def _fits(card: Card, need_mb: int | None) -> bool:
    if need_mb is None or card.used_mb is None or card.total_mb is None:
        return False
    return card.total_mb - card.used_mb >= need_mb


def lower_baseline(known_mb: int | None, card: Card) -> int | None:
    """Return the baseline after a look: what is in use without anybody who says so, if that is the lowest."""
    if card.used_mb is None:
        return known_mb
    idle_mb = max(0, card.used_mb - sum(holder.used_mb or 0 for holder in card.holders))
    return idle_mb if known_mb is None else min(known_mb, idle_mb)


def first_visible(cards: Sequence[Card], mask: str | None) -> Card | None:
    """Return the card a stage calls cuda:0 under CUDA_VISIBLE_DEVICES `mask` (UUIDs, their beginnings, or
    PCI-ordered indices; None: all). None when it sees no card.
    """
    if mask is None:
        return cards[0] if cards else None
    first = mask.split(",")[0].strip()
    for card in cards:
        if first == str(card.number) or (first.startswith("GPU-") and card.uuid.startswith(first)):
            return card
    return None


def words_for_holders(names: Sequence[str], card: Card) -> str:
    """Say who holds the card: `GPU 0, held by python (pid 12, alice) with 70,000 MB`."""
    used = f"{card.used_mb:,}" if card.used_mb is not None else "an unknown number of"
    if not names:
        return f"GPU {card.number}, {used} MB in use by nobody that can be seen"
    return f"GPU {card.number}, held by {' and '.join(names)}"
