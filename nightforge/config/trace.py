"""Which sections of the configuration a stage has really looked at."""

from __future__ import annotations

from typing import Any

from nightforge.config.schema import Config

_SECTIONS = frozenset(Config.__struct_fields__)


def traced(config: Config) -> tuple[Config, set[str]]:
    """Return an equal configuration and the set that collects the names of the sections read from it."""
    seen: set[str] = set()

    class Traced(Config, frozen=True, forbid_unknown_fields=True, kw_only=True):
        def __getattribute__(self, name: str) -> Any:
            if name in _SECTIONS:
                seen.add(name)
            return super().__getattribute__(name)

        def to_dict(self) -> dict[str, Any]:
            seen.update(_SECTIONS)
            return super().to_dict()

    return Traced(**{name: getattr(config, name) for name in _SECTIONS}), seen
