"""Stage 07: write a program for an instruction; the program goes to stdout, all else to stderr.

With `--clipboard` the text for the editor's clipboard goes to stdout in place of the program.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from nightforge.blueprint.answers import Author, extract_program, open_author
from nightforge.blueprint.check import validate
from nightforge.blueprint.clipboard.writer import create_first, to_clipboard
from nightforge.config import Config
from nightforge.core.atomic import append_jsonl
from nightforge.core.errors import InputError
from nightforge.core.paths import Project
from nightforge.core.reporting import Report

PROMPT_SIGN = "> "


def answer_prompt(
    author: Author, instruction: str, out: TextIO, err: TextIO, *, clipboard: bool = False
) -> bool:
    """Print the program for one instruction to `out`, its validity to `err`; returns the validity.

    With `clipboard` the text to paste goes to `out` instead, and what must exist before the paste to `err`.
    """
    program = extract_program(author.write([instruction]).answers[0].text)
    if not clipboard:
        print(program, file=out, flush=True)  # noqa: T201
        return say_validity(program, err)
    valid = say_validity(program, err)
    text = paste_text(program, err)
    if text is not None:
        print(text, end="", file=out, flush=True)  # noqa: T201
    return valid


def paste_text(program: str, err: TextIO) -> str | None:
    """Return a program as text for the editor's clipboard; None, with a word on `err`, if it is invalid."""
    validation = validate(program)
    if not validation.valid or validation.blueprint is None:
        print("no text for the clipboard: the answer is invalid", file=err)  # noqa: T201
        print(program, file=err)  # noqa: T201
        return None
    print("create these first, the clipboard carries nodes alone:", file=err)  # noqa: T201
    for line in create_first(validation.blueprint):
        print(f"  {line}", file=err)  # noqa: T201
    return to_clipboard(validation.blueprint)


def say_validity(program: str, err: TextIO) -> bool:
    """Tell on `err` whether a program is valid, with every error's line and column."""
    validation = validate(program, opaque="error")
    if validation.valid:
        print("valid", file=err)  # noqa: T201
    for error in validation.errors:
        print(f"invalid: {error}", file=err)  # noqa: T201
    return bool(validation.valid)


def answer_file(
    author: Author, path: Path, out: TextIO, err: TextIO, *, clipboard: bool = False
) -> list[dict[str, Any]]:
    """Answer every line of a text file (`#` and blank lines skipped) in batches; programs go to `out`, blank
    between.

    With `clipboard` the texts to paste go to `out` instead, and each entry holds its text, null if invalid.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing; --batch wants a text file with one instruction per line")
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    instructions = [line for line in lines if line and not line.startswith("#")]
    if not instructions:
        raise InputError(f"{path} holds no instruction; write one per line")
    found = []
    for instruction, answer in zip(instructions, author.write(instructions).answers, strict=True):
        program = extract_program(answer.text)
        if not clipboard:
            print(program + "\n", file=out, flush=True)  # noqa: T201
        print(f"# {instruction}", file=err)  # noqa: T201
        valid = say_validity(program, err)
        entry = {"instruction": instruction, "program": program, "valid": valid, "tokens": answer.tokens}
        if clipboard:
            entry["clipboard"] = text = paste_text(program, err)
            if text is not None:
                print(text, file=out, flush=True)  # noqa: T201
        found.append(entry)
    return found


def converse(
    author: Author,
    read: TextIO,
    out: TextIO,
    err: TextIO,
    should_stop: Callable[[], bool],
    *,
    clipboard: bool = False,
) -> int:
    """Answer line after line until an empty line, `quit` or the end of input; returns their number."""
    print(f"{author.version} is listening; an empty line ends", file=err)  # noqa: T201
    answered = 0
    while not should_stop():
        print(PROMPT_SIGN, end="", file=err, flush=True)  # noqa: T201
        line = read.readline().strip()
        if line in {"", "quit", "exit"}:
            break
        answer_prompt(author, line, out, err, clipboard=clipboard)
        answered += 1
    return answered


def run_inference(
    config: Config, project: Project, report: Report, should_stop: Callable[[], bool], args: Any
) -> dict[str, Any]:
    """Do what the command line of stage 07 asks; `args` has its options by name."""
    if not (args.prompt or args.interactive or args.batch):
        raise InputError(
            "nothing to answer: give --prompt TEXT, --batch FILE or --interactive",
            next_command='python scripts/07_inference.py --prompt "When the game starts, print \\"hello\\"."',
        )
    author = open_author(config, project, args.model, report=report)
    report.message(author.loaded.info.sentence())
    report.watch("generate")
    if args.prompt:
        valid = answer_prompt(author, args.prompt, sys.stdout, sys.stderr, clipboard=args.clipboard)
        return {"version": author.version, "answers": 1, "valid": int(valid)}
    if args.batch:
        found = answer_file(author, args.batch, sys.stdout, sys.stderr, clipboard=args.clipboard)
        for entry in found if args.output else ():
            append_jsonl(args.output, entry, sync=False)
        return {
            "version": author.version,
            "answers": len(found),
            "valid": sum(entry["valid"] for entry in found),
        }
    answers = converse(author, sys.stdin, sys.stdout, sys.stderr, should_stop, clipboard=args.clipboard)
    return {"version": author.version, "answers": answers}
