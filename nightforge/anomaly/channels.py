"""Which channels a data set has: fixed by the training files, enforced ever after, by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from nightforge.anomaly.columns import missing_text
from nightforge.anomaly.storage import Stored


def fix_channels(files: Sequence[Stored]) -> tuple[tuple[str, ...], list[dict[str, str]]]:
    """Return the channels in their order, and those left out, each with a reason.

    A channel is what more than half of the files have and at least one measures. The order is that of the
    files.
    """
    seen = Counter(name for stored in files for name in stored.channels)
    kinds: dict[str, set[str]] = {}
    for stored in files:
        for record in stored.quality.channels:
            kinds.setdefault(record["name"], set()).add(record["kind"])
    kept: list[str] = []
    dropped: list[dict[str, str]] = []
    for name, count in seen.items():
        if count * 2 <= len(files):
            reason = f"only {count} of {len(files)} files have it"
        elif "number" not in kinds[name]:
            what = "text" if "text" in kinds[name] else "nothing"
            reason = f"it holds {what} instead of numbers in every file"
        else:
            kept.append(name)
            continue
        dropped.append({"name": name, "reason": reason})
    return tuple(kept), dropped


def hold(stored: Stored, channels: Sequence[str], known_dropped: Sequence[str] = ()) -> bool:
    """Hold a file to the channels of the training set; says in its quality record what differs.

    False when a channel is missing. A channel is never guessed: a renamed one is missing.
    """
    quality = stored.quality
    missing = [name for name in channels if name not in stored.channels]
    extra = [name for name in stored.channels if name not in channels]
    if missing:
        plural = "channels" if len(missing) > 1 else "channel"
        quality.hard_fails.append(
            f"{plural} {missing_text(missing, extra or stored.channels)} of the training set missing; "
            "give the column its old name, or train on files that have the new one"
        )
        return False
    strange = [name for name in extra if name not in known_dropped]
    if strange:
        quality.warnings.append(f"columns the training set does not have were left out: {', '.join(strange)}")
    if [name for name in stored.channels if name in channels] != list(channels):
        quality.actions.append("channels put into the order of the training set")
    quality.channels = [
        next(record for record in quality.channels if record["name"] == name) for name in channels
    ] + [record for record in quality.channels if record["name"] not in channels]
    return True
