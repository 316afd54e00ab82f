"""Keeps exams and tests out of training: what is held out, the gate, how exposed a prompt is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nightforge.blueprint.canonical import canonicalize, content_key, structure_key
from nightforge.blueprint.evaluation_tests import Test
from nightforge.blueprint.graph import Blueprint
from nightforge.blueprint.lessons import Lesson, Prompt, load_lessons
from nightforge.blueprint.parser import parse
from nightforge.blueprint.printer import to_text
from nightforge.blueprint.rows import Row, mask_instruction, normalize_instruction, read_rows

Exposure = Literal["seen", "near", "unseen"]
EVALUATION = "evaluation tests"
NEAR_DUPLICATE = 0.8  # Jaccard similarity of word triples above which two instructions ask for the same


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt that must stay unseen: the set it belongs to, its id and its words; an exam has an answer too.

    `structure` and `content` are the keys of the answer; a test that is graded without an answer has none.
    """

    held_by: str
    id: str
    instruction: str
    structure: str = ""
    content: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A training row that gives a held-out prompt away, and by what; see REASONS."""

    row: Row
    question: Question
    reason: str

    def sentence(self) -> str:
        """Name row, source and prompt."""
        prompt = f"{self.question.id} of {self.question.held_by}"
        return f"row {self.row.id} ({self.row.source}) gives away {prompt}: {REASONS[self.reason]}"


REASONS = {
    "answer": "its program is the answer, whatever its ids, order and name",
    "structure": "its program is the answer with other names or other values",
    "instruction": "it asks in the same words",
    "near_instruction": "it asks in nearly the same words",
    "masked_instruction": "it asks the same question about other names or other values",
}


class Holdout:
    """What must not be trained on: the questions of exams and tests, found by answer and by words.

    The structure key is blind to names, order and literals, so a renamed, reordered or renumbered answer and
    one with other values have the key of the answer itself.
    """

    def __init__(self, questions: Iterable[Question] = ()) -> None:
        self.questions = tuple(questions)
        self.structures = {q.structure: q for q in self.questions if q.structure}
        self._words: dict[str, Question] = {}  # normalised instruction -> question
        self._masked: dict[str, Question] = {}  # masked instruction -> question
        self._triples: list[frozenset[str]] = []  # word triples of each question
        self._asking: dict[str, list[int]] = defaultdict(list)  # word triple -> places of its questions
        for place, question in enumerate(self.questions):
            words = normalize_instruction(question.instruction)
            self._words[words] = question
            self._masked[mask_instruction(question.instruction)] = question
            self._triples.append(word_triples(words))
            for triple in self._triples[-1]:
                self._asking[triple].append(place)

    @classmethod
    def of(cls, lessons: Iterable[Lesson], tests: Iterable[Test] = ()) -> Holdout:
        """Gather the prompts of the held-out lessons among `lessons`, and evaluation tests."""
        asked = [
            Question(
                lesson.lesson_id,
                p.id,
                p.instruction,
                p.structure,
                content_key(p.blueprint),
            )
            for lesson in lessons
            if lesson.holdout
            for p in lesson.prompts
        ]
        return cls([*asked, *(Question(EVALUATION, test.id, test.prompt) for test in tests)])

    def find(self, row: Row, structure: str, blueprint: Blueprint) -> Finding | None:
        """Say which prompt a row gives away, by the key of its program first, else by its words."""
        question = self.structures.get(structure)
        if question:
            same = content_key(blueprint) == question.content
            return Finding(row, question, "answer" if same else "structure")
        return self.by_instruction(row)

    def by_instruction(self, row: Row) -> Finding | None:
        """Say which prompt asks for the same in the same words, nearly, or but for names and values."""
        words = normalize_instruction(row.instruction)
        if words in self._words:
            return Finding(row, self._words[words], "instruction")
        near = self._nearly(word_triples(words))
        if near:
            return Finding(row, near, "near_instruction")
        masked = self._masked.get(mask_instruction(row.instruction))
        return Finding(row, masked, "masked_instruction") if masked else None

    def _nearly(self, mine: frozenset[str]) -> Question | None:
        """The first question in nearly the same words.

        It lacks so few of the word triples that it has one of the rarest: only those are looked up.
        """
        lacking = len(mine) - int(NEAR_DUPLICATE * len(mine))
        rarest = sorted(mine, key=lambda triple: len(self._asking.get(triple, ())))[: lacking + 1]
        sharing = {place for triple in rarest for place in self._asking.get(triple, ())}
        near = (place for place in sharing if similarity(mine, self._triples[place]) >= NEAR_DUPLICATE)
        place = min(near, default=None)
        return None if place is None else self.questions[place]


def holdout_structures(lessons_folder: Path) -> frozenset[str]:
    """Structure keys of every held-out answer; pretraining text leaves them out too."""
    return frozenset(Holdout.of(load_lessons(lessons_folder, holdout=True)).structures)


def leak_gate(rows: Iterable[Row], lessons: Iterable[Lesson], tests: Iterable[Test] = ()) -> list[Finding]:
    """Check finished rows against exams and tests again, from the text alone; returns every leak.

    Nothing stored in a row is trusted: programs are parsed and keyed anew.
    """
    return gate(rows, (), Holdout.of(lessons, tests))[0]


def gate(
    train: Iterable[Row], val: Iterable[Row], holdout: Holdout, parsed: Mapping[str, str] | None = None
) -> tuple[list[Finding], list[tuple[Row, Row]]]:
    """Return every leak in both splits, and the pairs (held-out row, training row) of one structure.

    `parsed` gives the structure key of program texts that this process has parsed; any other text is parsed.
    """
    parsed = parsed or {}
    findings: list[Finding] = []
    taught: dict[str, Row] = {}
    crossing: list[tuple[Row, Row]] = []
    for side, row in (*(("train", row) for row in train), *(("val", row) for row in val)):
        structure = parsed.get(row.output, "")
        if structure and structure not in holdout.structures:
            finding = holdout.by_instruction(row)
        else:
            blueprint = parse(row.output).blueprint
            structure = structure_key(blueprint) if blueprint else ""
            finding = holdout.find(row, structure, blueprint) if blueprint else holdout.by_instruction(row)
        if finding:
            findings.append(finding)
        if side == "train":
            taught.setdefault(structure, row)
        elif structure in taught:
            crossing.append((row, taught[structure]))
    return findings, crossing


@dataclass(frozen=True, slots=True)
class TrainingIndex:
    """What a model was trained on: program contents by structure."""

    outputs: dict[str, tuple[str, ...]]  # structure key -> canonical programs

    @classmethod
    def of(cls, rows: Iterable[Row]) -> TrainingIndex:
        """Index rows by the structure they were stored with."""
        outputs: dict[str, list[str]] = {}
        for row in rows:
            outputs.setdefault(row.structure, []).append(row.output)
        return cls({structure: tuple(found) for structure, found in outputs.items()})

    @classmethod
    def load(cls, path: Path) -> TrainingIndex:
        """Index train.jsonl; raises InputError where it is missing or broken."""
        return cls.of(read_rows(path, "python scripts/20_deduplicate_dataset.py"))


def exposure(prompt: Prompt, index: TrainingIndex) -> Exposure:
    """How training prepared a prompt: seen = its very program, near = the same shape, unseen = neither."""
    outputs = index.outputs.get(prompt.structure)
    if not outputs:
        return "unseen"
    own = content_key(prompt.blueprint)
    text = _nameless(prompt.blueprint)
    for output in outputs:
        if output.partition("\n")[2] == text:
            return "seen"
        other = parse(output).blueprint
        if other is not None and content_key(other) == own:
            return "seen"
    return "near"


def _nameless(blueprint: Blueprint) -> str:
    """Canonical text without the line that names the program."""
    return to_text(canonicalize(blueprint)).partition("\n")[2]


def word_triples(words: str) -> frozenset[str]:
    """The runs of three words in a normalised instruction; fewer than three words make one run."""
    split = words.split()
    return frozenset(" ".join(split[i : i + 3]) for i in range(max(1, len(split) - 2)))


def similarity(first: frozenset[str], second: frozenset[str]) -> float:
    """Jaccard similarity, 0 to 1."""
    smaller, larger = sorted((len(first), len(second)))
    if smaller < NEAR_DUPLICATE * larger:  # the overlap cannot reach the limit, so it is not counted
        return 0.0
    return len(first & second) / len(first | second)
