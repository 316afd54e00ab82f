"""The program alone goes to standard output; its validity and everything else to standard error."""

from __future__ import annotations

import io
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

import pytest

from nightforge.blueprint.answers import extract_program
from nightforge.blueprint.clipboard.writer import to_clipboard
from nightforge.blueprint.inference import answer_file, answer_prompt, converse, run_inference
from nightforge.blueprint.parser import parse
from nightforge.config import Config
from nightforge.core.errors import InputError
from nightforge.core.paths import Project
from nightforge.ml.generation import Answer, Tally
from tests.ml.conftest import SilentReport

HELLO = """BLUEPRINT: BP_Actor
PARENT: Actor
GRAPH: EventGraph
NODE n1: Event_BeginPlay
NODE n2: PrintString [InString="hello"]
EXEC n1.Then -> n2.Execute"""


@dataclass
class Author:
    text: str
    version: str = "v1"

    def write(self, instructions: list[str]) -> Tally:
        return Tally(answers=[Answer(i, self.text, 3, True) for i in range(len(instructions))])


def test_a_valid_program_is_printed_alone() -> None:
    out, err = io.StringIO(), io.StringIO()
    assert answer_prompt(Author(HELLO), "say hello", out, err)  # type: ignore[arg-type]
    assert out.getvalue() == HELLO + "\n"
    assert err.getvalue() == "valid\n"


def test_an_invalid_program_names_line_and_reason_on_standard_error() -> None:
    out, err = io.StringIO(), io.StringIO()
    broken = HELLO.replace("n1.Then", "n9.Then")
    assert not answer_prompt(Author(broken), "say hello", out, err)  # type: ignore[arg-type]
    assert out.getvalue() == broken + "\n"
    assert "invalid: " in err.getvalue()
    assert "n9" in err.getvalue()


def test_a_batch_skips_blank_and_comment_lines(tmp_path: Path) -> None:
    path = tmp_path / "tasks.txt"
    path.write_text("# first\nsay hello\n\nsay it again\n", encoding="utf-8")
    out = io.StringIO()
    found = answer_file(Author(HELLO), path, out, io.StringIO())  # type: ignore[arg-type]
    assert [entry["instruction"] for entry in found] == ["say hello", "say it again"]
    assert out.getvalue().count("BLUEPRINT:") == 2


def test_the_clipboard_text_stands_in_place_of_the_program() -> None:
    out, err = io.StringIO(), io.StringIO()
    assert answer_prompt(Author(HELLO), "say hello", out, err, clipboard=True)  # type: ignore[arg-type]
    assert out.getvalue() == to_clipboard(parse(HELLO).blueprint)  # type: ignore[arg-type]
    assert "Blueprint BP_Actor with parent class Actor" in err.getvalue()


def test_an_invalid_program_has_no_clipboard_text_and_is_not_lost() -> None:
    out, err = io.StringIO(), io.StringIO()
    broken = HELLO.replace("n1.Then", "n9.Then")
    assert not answer_prompt(Author(broken), "say hello", out, err, clipboard=True)  # type: ignore[arg-type]
    assert out.getvalue() == ""
    assert "no text for the clipboard: the answer is invalid" in err.getvalue()
    assert broken in err.getvalue()


def test_a_batch_keeps_the_clipboard_text_of_each_answer(tmp_path: Path) -> None:
    path = tmp_path / "tasks.txt"
    path.write_text("say hello\n", encoding="utf-8")
    out = io.StringIO()
    (entry,) = answer_file(Author(HELLO), path, out, io.StringIO(), clipboard=True)  # type: ignore[arg-type]
    assert entry["clipboard"].startswith("Begin Object ")
    assert out.getvalue().strip() == entry["clipboard"].strip()
    (entry,) = answer_file(Author("nonsense"), path, out, io.StringIO(), clipboard=True)  # type: ignore[arg-type]
    assert entry["clipboard"] is None


def test_a_conversation_ends_with_an_empty_line() -> None:
    out = io.StringIO()
    count = converse(Author(HELLO), io.StringIO("one\ntwo\n\nthree\n"), out, io.StringIO(), lambda: False)  # type: ignore[arg-type]
    assert count == 2
    assert out.getvalue().count("BLUEPRINT:") == 2


@pytest.mark.parametrize(
    "text, program",
    [
        (HELLO, HELLO),
        (f"Sure:\n```\n{HELLO}\n```\nDone.", HELLO),
        (f"```blueprint\n{HELLO}", HELLO),
        ("\n\nwords only\n", "words only"),
    ],
    ids=["bare", "fenced", "unclosed fence", "no program"],
)
def test_a_code_fence_is_taken_off(text: str, program: str) -> None:
    assert extract_program(text) == program


def test_asking_nothing_says_how_to_ask(project: Project) -> None:
    nothing = Namespace(prompt=None, interactive=False, batch=None, output=None, model=None, clipboard=False)
    with pytest.raises(InputError, match="nothing to answer"):
        run_inference(Config(), project, SilentReport(), lambda: False, nothing)  # type: ignore[arg-type]


def test_asking_before_the_first_training_names_the_stage(project: Project) -> None:
    one = Namespace(prompt="x", interactive=False, batch=None, output=None, model=None, clipboard=False)
    with pytest.raises(InputError) as caught:
        run_inference(Config(), project, SilentReport(), lambda: False, one)  # type: ignore[arg-type]
    assert "04_train_blueprint_lora" in str(caught.value.next_command)
