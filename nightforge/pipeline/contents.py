"""When the result of a stage still stands. # ops C1-C4

Each success leaves `logs/stages/<pipeline>/<key>.json`, written last: what the stage was made of (inputs,
settings, code, versions) and what it made, as hashes. A stage is kept only if all of it is the same now;
otherwise the first difference is the reason, in words. Dates, places, comments and layout do not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import nightforge
from nightforge.config import Config
from nightforge.config.schema import Ladder
from nightforge.config.sources import files_of
from nightforge.core.atomic import write_json
from nightforge.core.clock import utc_now
from nightforge.core.fingerprints import Fingerprints
from nightforge.core.paths import Project
from nightforge.core.records import order_path, read_object
from nightforge.core.versions import latest_of
from nightforge.pipeline.plan import Plan
from nightforge.pipeline.registry import StageSpec
from nightforge.pipeline.runs import package_versions

CONTRACT = 1  # raised when this release reads the same things in another way
_VERSIONED = frozenset({"training", "eval", "exam"})  # kinds whose results depend on the libraries' versions
# What changes how a stage is watched or shown, never what it makes.
_HARMLESS = {
    "training": ("logging_steps", "save_steps", "keep_checkpoints"),
    "hardware": ("cpu_threads", "gpu_vram_gb"),
    "generation": ("batch_size",),
    "ladder": Ladder.__struct_fields__,
}
_SHAPE = {
    **{"run_id": str, "args": list, "result": dict},
    **dict.fromkeys(("inputs", "settings", "code", "versions", "outputs"), dict),
}


class Look(NamedTuple):
    """Whether a result stands: `why` is the first difference in words, `record` the earlier success."""

    kept: bool
    why: str
    record: dict[str, Any] | None = None


class Contents:
    """The records of one pipeline in one project, against one configuration."""

    def __init__(self, project: Project, config: Config, pipeline: str, run_dir: Path | None = None) -> None:
        self._project = project
        self._config = config.to_dict()
        self._run_dir = run_dir
        self._folder = project.logs / "stages" / pipeline
        self._prints = Fingerprints(
            project.logs / "fingerprints.json", Path(nightforge.__file__).resolve().parent
        )
        self._versions: dict[str, str] | None = None

    def look(self, spec: StageSpec, rewritten: Iterable[str] = ()) -> Look:
        """Compare what a stage would be made of now with its last success.

        Inputs below one of `rewritten` do not count: stages behind it have changed them in the same run.
        """
        record = read_object(self._path(spec))
        if spec.always:
            return Look(False, "it runs each time, since its work is about the run itself", record)
        if record is None:
            return Look(False, "it has not succeeded here before", None)
        if not all(isinstance(record.get(name), kind) for name, kind in _SHAPE.items()):
            return Look(False, "the record of its last success cannot be read", None)
        now = self._made_of(spec)
        for part in (record["inputs"], now["inputs"]):
            for name in [name for name in part if name.startswith(tuple(self._named(rewritten)))]:
                del part[name]
        why = difference(record, now) or self._outputs_differ(record)
        return Look(not why, why or "nothing it depends on has changed", record)

    def begin(self, spec: StageSpec, attempt: int) -> None:
        """Write down what an attempt is made of before it starts: it may change its own inputs."""
        if not spec.always:
            write_json(self._intent(spec, attempt), self._made_of(spec), indent=None, durable=False)

    def finish(
        self,
        spec: StageSpec,
        attempt: int,
        result: Mapping[str, Any] | None,
        sections: Iterable[str] | None,
    ) -> None:
        """Record a success; `sections` are those of the configuration that the stage has read (None: all).

        A stage that found nothing new to do has no `result`: the one it had stands. Without one of its
        outputs there is no record, and the stage runs again next time.
        """
        made_of = None if spec.always else read_object(self._intent(spec, attempt))
        if made_of is None:
            return
        outputs = self._prints.tree(self._project.root, self._named(spec.writes))
        if None in outputs.values():
            return
        if sections is not None:
            made_of["settings"] = {name: made_of["settings"].get(name) for name in sorted(sections)}
        assert self._run_dir is not None
        record = {
            "schema_version": 1,
            "stage": spec.key,
            "run_id": self._run_dir.name,
            "attempt": attempt,
            "ended_at": utc_now(),
            "result": (read_object(self._path(spec)) or {}).get("result", {}) if result is None else result,
            **made_of,
            "outputs": outputs,
        }
        write_json(self._path(spec), record, indent=None, durable=False)

    def accept(self, spec: StageSpec) -> dict[str, Any] | None:
        """Let the earlier result stand for what it would be made of now; None without an earlier success."""
        record = read_object(self._path(spec))
        if record is None:
            return None
        now = self._made_of(spec)
        now["settings"] = {name: now["settings"].get(name) for name in record["settings"]}
        outputs = self._prints.tree(self._project.root, self._named(spec.writes))
        accepted = {**record, **now, "outputs": outputs, "accepted_at": utc_now()}
        write_json(self._path(spec), accepted, indent=None)
        return accepted

    def save(self) -> None:
        """Keep the hashes for the next start."""
        self._prints.save()

    def _made_of(self, spec: StageSpec) -> dict[str, Any]:
        root = self._project.root
        return {
            "contract": CONTRACT,
            "args": list(spec.args),
            "inputs": self._prints.tree(root, self._named(spec.reads)),
            "settings": {name: _telling(name, value) for name, value in self._config.items()},
            "code": self._prints.code(root / spec.script),
            "versions": self._package_versions() if spec.kind in _VERSIONED else {},
        }

    def _package_versions(self) -> dict[str, str]:
        if self._versions is None:
            self._versions = package_versions(self._folder.name)
        return self._versions

    def _outputs_differ(self, record: Mapping[str, Any]) -> str:
        for name, digest in record["outputs"].items():
            now = self._prints.file(self._project.root / name)
            if now != digest:
                return f"its output {name} {'is missing' if now is None else 'has been changed'}"
        return ""

    def _named(self, names: Iterable[str]) -> list[str]:
        """Put the newest version in for `vN`, the newest decisions for `<label>`, files for a pattern."""
        found: list[str] = []
        for name in names:
            if "vN" in name:
                name = name.replace("vN", f"v{latest_of(self._project.models, name) or 0}")
            if "<label>" in name:
                newest = read_object(self._project.anomaly_results / "latest.json") or {}
                name = name.replace("<label>", str(newest.get("label", "none")))
            found += self._files(name)
        return found

    def _files(self, name: str) -> list[str]:
        root = self._project.root
        if name.endswith("/") or not (any(sign in name for sign in "*?[") or (root / name).is_dir()):
            return [name]
        return [self._project.relative(file) for file in files_of(root, name)]

    def _path(self, spec: StageSpec) -> Path:
        return self._folder / f"{spec.key}.json"

    def _intent(self, spec: StageSpec, attempt: int) -> Path:
        assert self._run_dir is not None
        return order_path(self._run_dir, spec.key, attempt, "content")


def standing(contents: Contents, plan: Plan, spec: StageSpec, done: bool, worked: bool) -> Look:
    """Tell whether a stage need not run. `done`: it is, in this run; `worked`: a stage before it has run
    since the start.
    """
    if not done:
        return Look(False, "--force keeps nothing") if plan.force else contents.look(spec)
    if spec.always:
        return Look(not worked, "a stage before it has run again" if worked else "it is done in this run")
    behind = plan.stages[plan.stages.index(spec) :]
    look = contents.look(spec, [name for later in behind for name in later.writes])
    return look if look.record is not None else Look(True, "it is done in this run")


def difference(record: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Say what is the first thing that differs between a record and `now`; an empty text if nothing does."""
    if record.get("contract") != now["contract"]:
        return "this release keeps its records in another way"
    if record["args"] != now["args"]:
        return f"its command has changed: {_words(record['args'])} -> {_words(now['args'])}"
    return (
        _changed("input ", record["inputs"], now["inputs"], short=True)
        or _settings_changed(record["settings"], now["settings"])
        or _changed("code of ", record["code"], now["code"], short=True)
        or _changed("package ", record["versions"], now["versions"])
    )


def _settings_changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    for section, old in before.items():
        new = now.get(section)
        if isinstance(old, dict) and isinstance(new, dict):
            words = _changed(f"setting {section}.", old, new)
        else:
            words = _changed("setting ", {section: old}, {section: new})
        if words:
            return words
    return ""


def _changed(what: str, before: Mapping[str, Any], now: Mapping[str, Any], short: bool = False) -> str:
    for name in sorted({*before, *now}):
        old, new = before.get(name), now.get(name)
        if old == new:
            continue
        if name not in before or old is None and short:
            return f"{what}{name} is new"
        if name not in now or new is None and short:
            return f"{what}{name} is gone"
        cut = 8 if short else 60
        return f"{what}{name} has changed: {str(old)[:cut]} -> {str(new)[:cut]}"
    return ""


def _telling(section: str, value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: entry for name, entry in value.items() if name not in _HARMLESS.get(section, ())}


def _words(args: Iterable[str]) -> str:
    return " ".join(args) or "no arguments"
