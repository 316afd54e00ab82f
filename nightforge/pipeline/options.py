"""The command line of `launch_pipeline.py` and `scripts/11`, read with the standard library alone."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import NamedTuple

from nightforge.pipeline.registry import PIPELINES

DESCRIPTION = """Start a training pipeline that outlives the terminal, or look after the one that runs.

Without options: starts pipeline `blueprint` detached, makes sure the dashboard server runs, prints where to
look and returns. One pipeline runs at a time in a project; a second start says so and changes nothing."""

EXIT_CODES = """exit codes: 0 done or said what there was to say · 1 failed · 2 wrong usage or configuration ·
4 stopped on request, resumable (--foreground) · 75 temporary, try again"""


_MODES = {
    "full": "everything (default)",
    "data-only": "make and check the data, nothing more",
    "train-only": "from the data there are to a trained, backed-up model",
    "eval-only": "examine or judge with the model there is",
}
# stream -> beginning of its options, kinds of files, in words
_SOURCES = {
    "patchtst": ("patch", ("auto", "synthetic", "csv", "parquet"), "sensor tables"),
    "swinmae": ("swin", ("auto", "synthetic", "csv", "npy"), "vibration recordings"),
}


class Options(NamedTuple):
    """What the user asked for; `profile` None means the one of pipeline_config.json."""

    action: str  # start | foreground | status | stop | dry-run | doctor | rehearse | why | accept
    mode: str = "full"
    pipeline: str = "blueprint"
    profile: str | None = None
    overrides: tuple[str, ...] = ()
    force: bool = False
    resume: str | None = None  # None: no; "": the last run; else a run id
    now: bool = False
    json: bool = False
    stage: str = ""  # of why and accept


def parse_options(
    argv: Sequence[str], program: str = "launch_pipeline.py", doc: str | None = None
) -> Options:
    """Read the arguments; wrong ones end the program with exit code 2 and a sentence."""
    parser = _parser(program, doc or DESCRIPTION)
    given = parser.parse_args(argv)
    asked = "why" if given.why else "accept" if given.accept else None
    action = given.action or asked or "start"
    if given.json and action != "status":
        parser.error("--json belongs to --status")
    if given.now and action != "stop":
        parser.error("--now belongs to --stop")
    resume: str | None = given.resume
    pipeline, data = _pipeline_of(given), _data_overrides(given)
    if data and pipeline != "anomaly" and resume is None:
        parser.error("--patch-data-... and --swin-data-... belong to --pipeline anomaly")
    own = [name for name in ("profile", "overrides", "mode", "force") if getattr(given, name)]
    if resume is not None and (own or data):
        parser.error("--resume continues with the run's own profile, mode and settings; leave the others out")
    if resume is not None and action in ("status", "stop", "dry-run", "doctor", "rehearse", "why", "accept"):
        parser.error(f"--resume and --{action} cannot be combined")
    return Options(
        action=action,
        mode=given.mode or "full",
        pipeline=pipeline,
        profile=given.profile,
        overrides=(*given.overrides, *data),
        force=given.force,
        resume=resume,
        now=given.now,
        json=given.json,
        stage=given.why or given.accept or "",
    )


def _parser(program: str, description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program,
        description=description,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    action = parser.add_mutually_exclusive_group()
    for name, text in (
        ("status", "print what runs, or what ran last"),
        ("stop", "ask the run to stop at its next safe boundary; asking again ends the stage within 30 s"),
        ("dry-run", "print the plan with what each stage reads and writes; touches nothing"),
        ("doctor", "prove that this machine is ready for a night; exit code 0 or 1"),
        ("rehearse", "run everything once on a tiny model in a scratch folder, with four faults, and tell"),
        ("foreground", "run in this terminal, with progress; the exit code is the run's"),
    ):
        action.add_argument(f"--{name}", dest="action", action="store_const", const=name, help=text)
    action.add_argument(
        "--why", metavar="STAGE", help="say why a stage will run or be kept, and how it ended last time"
    )
    action.add_argument(
        "--accept", metavar="STAGE", help="let a stage's earlier result stand in spite of what has changed"
    )
    parser.add_argument(
        "--resume",
        nargs="?",
        const="",
        metavar="RUN_ID",
        help="continue the last stopped, failed or interrupted run (or the one named)",
    )
    parser.add_argument("--now", action="store_true", help="with --stop: end the running stage within 30 s")
    parser.add_argument(
        "--json", action="store_true", help="with --status: the live state as one JSON object"
    )
    mode = parser.add_mutually_exclusive_group()
    for name, text in _MODES.items():
        mode.add_argument(f"--{name}", dest="mode", action="store_const", const=name, help=text)
    parser.add_argument(
        "--pipeline", choices=sorted(PIPELINES), help="which pipeline (default: blueprint); resume remembers"
    )
    parser.add_argument("--profile", help="profile of profiles/ (default: the one of pipeline_config.json)")
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="replace one setting; may be given several times",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="start a new run and keep nothing from earlier ones: every stage runs, training trains again",
    )
    _add_sources(parser)
    return parser


def _add_sources(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("data of --pipeline anomaly")
    for stream, (prefix, kinds, words) in _SOURCES.items():
        group.add_argument(
            f"--{prefix}-data-source",
            dest=f"{stream}_source",
            choices=kinds,
            help=f"kind of the {words}; auto: what the path finds, else the generator",
        )
        group.add_argument(
            f"--{prefix}-data-path",
            dest=f"{stream}_path",
            nargs="+",
            metavar="GLOB",
            help=f"{words} to train on; without a source: auto",
        )


def _data_overrides(given: argparse.Namespace) -> tuple[str, ...]:
    """Translate the options for data into settings; a path without a source implies auto."""
    found: list[str] = []
    for stream in _SOURCES:
        source, paths = getattr(given, f"{stream}_source"), getattr(given, f"{stream}_path")
        if source or paths:
            found.append(f"{stream}.data.source={source or 'auto'}")
        if paths:
            found.append(f"{stream}.data.path={json.dumps(paths[0] if len(paths) == 1 else paths)}")
    return tuple(found)


def _pipeline_of(given: argparse.Namespace) -> str:
    """Return the pipeline asked for; a stage that is asked about and belongs to one alone names its own."""
    if given.pipeline:
        return str(given.pipeline)
    stage = given.why or given.accept
    having = [name for name, rows in PIPELINES.items() if any(row.key == stage for row in rows)]
    return having[0] if len(having) == 1 else "blueprint"
