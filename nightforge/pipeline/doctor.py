"""`launch_pipeline.py --doctor`: proves instead of assuming, in about ten seconds. # ops D8"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from nightforge.config import Config, load_config
from nightforge.core.errors import NightforgeError
from nightforge.core.logind import logout_warning
from nightforge.core.paths import Project
from nightforge.core.terminal import say
from nightforge.pipeline.hardware import open_gpus
from nightforge.pipeline.options import Options
from nightforge.pipeline.plan import build_plan, has_exports
from nightforge.pipeline.preflight import check, disk_budget

PROOF_LIMIT_S = 120.0  # a sick driver can hang for ever
_PROBE_MB = 32
_SLOW_MB_S = 20.0  # below, a checkpoint of some hundred megabytes holds a training up
_BUILT_IN = 2026  # a clock before the year of this program is wrong
_MARKS = {True: "ok  ", False: "FAIL", None: "note"}


class Finding(NamedTuple):
    """One answer: True is fine, False must be changed before a night, None is worth knowing."""

    name: str
    fine: bool | None
    words: str


def run_doctor(project: Project, options: Options) -> int:
    """Print every finding; returns 0, or 1 when one of them is bad."""
    config = load_config(project, options.profile, options.overrides)
    findings: list[Finding] = []
    for examine in EXAMINATIONS:
        for finding in examine(project, config, options):
            findings.append(finding)
            first, *more = finding.words.splitlines()
            say(f"{_MARKS[finding.fine]}  {finding.name:<10} {first}")
            for line in more:
                say(f"{'':17}{line.strip()}")
    bad = sum(finding.fine is False for finding in findings)
    said = f"{bad} of {len(findings)} must be changed before a night" if bad else "ready for a night"
    say(f"Doctor    profile {config.profile}: {said}")
    return 1 if bad else 0


def _logout(_: Project, __: Config, ___: Options) -> list[Finding]:
    if sys.platform == "win32":
        words = "a run outlives its window where the window lets programs go; never tried on this system"
        return [Finding("logout", None, words)]
    warning = logout_warning()
    if warning:
        return [Finding("logout", False, warning.removeprefix("Note").strip())]
    return [Finding("logout", True, "a run has its own session and ignores hang-ups; logout does not end it")]


def _start(project: Project, config: Config, options: Options) -> list[Finding]:
    exports = has_exports(project.root)
    plan = build_plan(options.mode, pipeline=options.pipeline, exports=exports, config=config)
    try:
        check(project, config, plan)
    except NightforgeError as error:
        found = [Finding("start", False, str(error))]
    else:
        found = [Finding("start", True, "stage scripts are there, folders writable, room for a run")]
    return found + [Finding("room", mount.enough, str(mount)) for mount in disk_budget(project, config, plan)]


def _clock(_: Project, __: Config, ___: Options) -> list[Finding]:
    now = datetime.now(UTC)
    before = time.monotonic()
    time.sleep(0.01)
    sane = now.year >= _BUILT_IN and time.monotonic() > before
    return [Finding("clock", sane, f"{now:%Y-%m-%d %H:%M:%S} UTC" + ("" if sane else ": set the clock"))]


def _disks(project: Project, config: Config, _: Options) -> list[Finding]:
    return [_disk(project.root, "disk"), _mirror(config.backup.mirror)]


def _disk(folder: Path, name: str) -> Finding:
    """Write a file, make it durable, and look at the time."""
    probe = folder / f".doctor-{os.getpid()}-{secrets.token_hex(4)}"
    block = os.urandom(2**20)
    try:
        started = time.monotonic()
        with probe.open("wb") as file:
            for _ in range(_PROBE_MB):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        speed = _PROBE_MB / max(time.monotonic() - started, 1e-6)
    except OSError as error:
        return Finding(name, False, f"{folder}: {error.strerror or error}")
    finally:
        probe.unlink(missing_ok=True)
    free_gb = shutil.disk_usage(folder).free / 1e9
    words = f"{folder}: writes {speed:.0f} MB/s durably, {free_gb:.0f} GB free"
    return Finding(name, speed >= _SLOW_MB_S, words)


def _mirror(mirror: str | None) -> Finding:
    if mirror is None:
        return Finding("mirror", None, "no second copy is configured (backup.mirror)")
    if not Path(mirror).is_dir():
        return Finding("mirror", False, f"{mirror} is not there; snapshots would stay on one disk")
    return _disk(Path(mirror), "mirror")


def _port(project: Project, config: Config, _: Options) -> list[Finding]:
    from nightforge.web.control import port_holder, server_status

    port = config.dashboard.port
    if server_status(project, port) is not None:
        return [Finding("port", True, f"{port}: the dashboard of this project runs")]
    if _listens(port):
        words = f"{port} is held by {port_holder(port)}; the dashboard takes the next free one"
        return [Finding("port", None, words)]
    return [Finding("port", True, f"{port} is free")]


def _listens(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _gpus(_: Project, config: Config, __: Options) -> list[Finding]:
    """Which card is which: NVML counts by bus id, as our stages do."""
    found = open_gpus().sample()
    if not found:
        return [Finding("gpu", None, "no NVIDIA GPU or no driver; stages run on the CPU")]
    mask = config.hardware.cuda_visible_devices
    cards = "\n".join(f"{index}: {_card(gpu)}" for index, gpu in enumerate(found))
    return [Finding("gpu", True, cards + ("" if mask is None else f"\nvisible to stages: {mask}"))]


def _card(gpu: dict[str, Any]) -> str:
    return ", ".join(str(gpu[name]) for name in ("name", "bus_id", "uuid") if gpu.get(name))


def _proof(project: Project, _: Config, options: Options) -> list[Finding]:
    """Have a process of its own multiply, so that a hanging driver cannot hold the doctor."""
    command = [sys.executable, "-m", "nightforge.ml.proof"]
    command += ["--profile", options.profile] if options.profile else []
    command += [word for override in options.overrides for word in ("--set", override)]
    environment = {**os.environ, "NIGHTFORGE_ROOT": str(project.root), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    root = Path(__file__).resolve().parents[2]
    try:
        done = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True, timeout=PROOF_LIMIT_S
        )
        found = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        return [Finding("8-bit", False, f"no answer within {PROOF_LIMIT_S:.0f} s; the driver may hang")]
    except (IndexError, ValueError):
        last = (done.stderr.strip().splitlines() or ["no words"])[-1]
        return [Finding("8-bit", False, f"torch could not be asked: {last}")]
    return judge_proof(found)


def judge_proof(found: dict[str, Any]) -> list[Finding]:
    """Put what `nightforge.ml.proof` has found into words."""
    if "error" in found:
        command = f"\nnext: {found['next_command']}" if found.get("next_command") else ""
        return [Finding("device", False, found["error"] + command)]
    product, memory = found["int8"], found["memory"]
    errors = f"forward {product['forward_error']:.1%}, backward {product['backward_error']:.1%} off"
    right = max(product["forward_error"], product["backward_error"]) <= product["limit"]
    findings = [
        Finding("device", True, f"stages use {found['device']}, model {found['quantization']}"),
        Finding("8-bit", right, f"one product on it: {errors}, {product['seconds']} s"),
    ]
    if memory is None:
        return [
            *findings,
            Finding("memory", None, "the base model is not here yet; stage 00 checks the need"),
        ]
    words = f"{memory['model']} needs {memory['need_gb']} GB to train, {memory['free_gb']} GB are free"
    return [*findings, Finding("memory", memory["need_gb"] <= memory["free_gb"], words)]


EXAMINATIONS: tuple[Callable[[Project, Config, Options], list[Finding]], ...] = (
    _logout,
    _start,
    _clock,
    _disks,
    _port,
    _gpus,
    _proof,
)
