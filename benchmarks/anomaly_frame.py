"""What all sections of benchmarks/anomaly.py share: the recipe and its hash, tables, what ran where."""

import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from nightforge.config.schema import Config, contradictions
from nightforge.core.atomic import read_json, sha256_text
from nightforge.core.errors import ConfigError, InputError

ROOT = Path(__file__).resolve().parents[1]
RECIPE = ROOT / "benchmarks" / "anomaly_recipe.json"
# what decides a figure: with changes to it that are not committed nothing held out may be looked at
_FROZEN = (
    "benchmarks",
    "nightforge/anomaly",
    "nightforge/config/anomaly.py",
    "nightforge/ml/self_supervised.py",
)
_LIBRARIES = ("numpy", "scipy", "scikit-learn", "pandas", "torch", "transformers")


class Quiet:
    """A report that nobody reads."""

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: None


@dataclass(frozen=True)
class Recipe:
    """Settings per data set, the missing ones being the product's defaults. hash: 16 hex digits that change
    with any setting of the track, also with a default.
    """

    settings: dict[str, Config]
    hash: str

    def __getitem__(self, name: str) -> Config:
        return self.settings[name]


def read_recipe() -> Recipe:
    """Read and check the recipe; raises ConfigError naming the data set."""
    settings = {}
    for name, section in read_json(RECIPE).items():
        try:
            settings[name] = msgspec.convert(section, Config)
        except msgspec.ValidationError as error:
            raise ConfigError(f"{RECIPE.name}, {name}: {error}") from error
        problems = contradictions(settings[name])
        if problems:
            raise ConfigError(f"{RECIPE.name}, {name}: {'; '.join(problems)}")
    resolved = {
        name: [msgspec.to_builtins(part) for part in (config.patchtst, config.swinmae, config.anomaly)]
        for name, config in settings.items()
    }
    return Recipe(settings, sha256_text(json.dumps(resolved, sort_keys=True))[:16])


def refuse_uncommitted() -> None:
    """Raise InputError when anything that decides a figure differs from the last commit."""
    command = ["git", "-C", str(ROOT), "status", "--porcelain", "--", *_FROZEN]
    changed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    if changed:
        raise InputError(
            f"--held-out looks at data that no choice may depend on; {len(changed)} files are not committed, "
            f"first {changed[0][3:]}",
            next_command="git commit",
        )


@dataclass
class Goal:
    """A figure of the issue's table. met: None where it is only told."""

    what: str
    figure: str
    goal: str
    met: bool | None


@dataclass
class Results:
    """What was measured, in the order it came."""

    goals: list[Goal] = field(default_factory=list)

    def add(self, what: str, figure: str, goal: str, met: bool | None = None) -> None:
        self.goals.append(Goal(what, figure, goal, None if met is None else bool(met)))

    def show(self) -> None:
        """Print the goals as a table of Markdown."""
        word = {True: "reached", False: "NOT reached", None: ""}
        print("\n## Goals\n")
        rows = [[g.what, g.figure, g.goal, word[g.met]] for g in self.goals]
        table(["what", "figure", "goal", ""], rows)


def table(head: list[str], rows: list[list[str]]) -> None:
    """Print a table of Markdown."""
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    print(flush=True)


def spread(values: Any, digits: int = 3) -> str:
    """Write the mean over seeds, and the standard deviation where there are several."""
    found = np.asarray(values, dtype=np.float64)
    text = f"{found.mean():.{digits}f}"
    return f"{text} ± {found.std(ddof=1):.{digits}f}" if len(found) > 1 else text


def header(recipe: Recipe, seeds: int, held_out: bool) -> None:
    """Print what ran: recipe, versions, machine."""
    versions = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    print("# Anomaly track" + (", held-out data" if held_out else ""))
    print(f"\nrecipe {recipe.hash}, {seeds} seeds; Python {platform.python_version()}, {versions}")
    print(f"{_processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {sys.platform}\n")


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"
