"""Checks that an instruction states what its program holds, and nothing else.

Works on the finished text and program alone: names, texts, numbers and start values are read from both and
compared, and each node type must be asked for in one of its wordings. Numbers and texts are counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache

from nightforge.blueprint.catalog import EXEC, NodeType, load_catalog
from nightforge.blueprint.graph import Blueprint, Graph, Node, Struct, Value, split_type
from nightforge.blueprint.synthesis.grown.derive import (
    event_templates,
    flow_wordings,
    step_templates,
    value_templates,
)
from nightforge.blueprint.synthesis.grown.naming import say
from nightforge.blueprint.synthesis.grown.prose import jump_words, type_words
from nightforge.blueprint.synthesis.grown.render import SLOT
from nightforge.blueprint.synthesis.grown.tree import DEFAULT_NAME, GET
from nightforge.blueprint.synthesis.grown.vocabulary import (
    by_name,
    data_outputs,
    entries,
    is_flow,
    is_structural,
    spaced,
    vocabulary,
)

QUOTED = re.compile(r'"([^"]*)"')
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w])")
WORD = re.compile(r"[^\W\d]\w*")
START = re.compile(r"(?:^|[.!?:] |\n[ \-]*)([^\W\d]\w*)")
_NAME = r'(?P<name>"[^"]+"|\w+)'
_VALUE = r'(?P<value>"[^"]*"|\([^)]*\)|-?[\d.]*\d|true|false)'
_TYPE = r"(?P<type>[A-Z]\w*(?: array| set| class)?|map from \w+ to \w+)"
DECLARED = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?:Variables: |, ){_NAME} \({_TYPE}(?:, {_VALUE})?\)",
        rf"\b[Aa]n? {_TYPE} variable {_NAME}(?: starting at {_VALUE})?",
        rf"\b[Aa] variable {_NAME}, a {_TYPE}",
        rf"The {_TYPE} variable {_NAME} starts at {_VALUE}",
        rf"The variable {_NAME} is of type {_TYPE} and starts at {_VALUE}",
        rf"The variable {_NAME} is an? {_TYPE}",
    )
)
PARENT = re.compile(
    r"(?:^| )(?:(?P<name>\w+)(?:, an? | is an? | with the parent )(?P<parent>[A-Z]\w*)\."
    r"|This is an? (?P<unnamed>[A-Z]\w*) blueprint\.|The parent class is (?P<stated>[A-Z]\w*)\.)"
)
LETTERS = {"X", "Y", "Z", "A", "B", "I", "N", "R", "G"}
OPENERS = {
    "variables", "there", "the", "use", "it", "add", "create", "make", "this", "blueprint", "please",
    "i", "can", "when",
    "write", "define", "function", "in", "on", "a", "an", "its", "whenever",
}  # fmt: skip


def problems(instruction: str, blueprint: Blueprint) -> list[str]:
    """Return what an instruction leaves out or adds; empty where it states exactly what the program holds."""
    graph, text = _GraphFacts(blueprint), _TextFacts(instruction)
    found = [f"{name} is not stated" for name in graph.names if not text.states(name)]
    found += [f"{word} is not in the program" for word in text.names() if word not in graph.allowed]
    found += _counted(graph.numbers, text.numbers, "the number")
    strings = Counter(
        {t: n for t, n in text.quoted.items() if t not in graph.names or t in graph.strings and n > 0}
    )
    found += _counted(graph.strings, strings, "the text", graph.names)
    found += _declarations(instruction, blueprint)
    found += _classes(instruction, blueprint)
    found += _wordings(instruction, blueprint)
    return found


def _counted(
    graph: Counter[str], text: Counter[str], what: str, free: dict[str, None] | None = None
) -> list[str]:
    found = [
        f"{what} {key!r} is stated {text[key]} times, used {n} times"
        for key, n in graph.items()
        if text[key] < n
    ]
    extra = [key for key, n in text.items() if n > graph[key] and key not in (free or {})]
    return found + [f"{what} {key!r} is stated more often than used" for key in extra]


class _GraphFacts:
    """Names, texts and numbers of a program."""

    def __init__(self, bp: Blueprint) -> None:
        self.names: dict[str, None] = {}  # in order, as a set would not be
        self.strings: Counter[str] = Counter()
        self.numbers: Counter[str] = Counter()
        self.allowed: set[str] = set(LETTERS)
        if bp.name != DEFAULT_NAME:
            self.names[bp.name] = None
        if bp.parent != "Actor":
            self.names[bp.parent] = None
        self.allowed |= {bp.parent, "Actor", bp.name}
        for variable in bp.variables:
            self.names[variable.name] = None
            head, arguments = split_type(variable.type)
            self.allowed.update((head, *arguments))
            if variable.default is not None:
                self._literal(variable.default)
        for graph in bp.graphs:
            self._pins(graph)
        for node in bp.nodes():
            self._node(node)
        for wire in bp.wires():
            if wire.kind == "exec" and wire.source_pin.startswith("Case_"):
                case = wire.source_pin.removeprefix("Case_")
                self._literal(int(case) if case.isdecimal() else case)
        self.allowed.update(self.names)

    def _pins(self, graph: Graph) -> None:
        """Take in the names of functions and macros and of user pins, with the types of the pins."""
        if graph.kind != "graph":
            self.names[graph.name] = None
        for spec in (*graph.pins, *(spec for node in graph.nodes for spec in node.pins)):
            if spec.type != EXEC:
                self.names[spec.name] = None
                self.allowed.add(spec.type)

    def _node(self, node: Node) -> None:
        node_type = load_catalog().lookup(node.type)
        if node_type is None:
            self.names[node.type] = None
            return
        self.allowed |= _capitals(node_type)
        if node.type.startswith("CastTo"):
            self.names[node.type.removeprefix("CastTo")] = None
        for name, value in node.properties:
            pin = node_type.input(name)
            text = isinstance(value, str)
            if text and (node_type.declared(name) or node_type.role(name) != "literal"):
                self.names[str(value)] = None
            elif text and pin is not None and pin.type not in ("String", "Text", "T", "K", "V"):
                self.names[str(value)] = None
            else:
                self._literal(value)

    def _literal(self, value: Value) -> None:
        if isinstance(value, Struct):
            for _, part in value.fields:
                self._literal(part)
        elif isinstance(value, str):
            self.strings[value] += 1
        elif not isinstance(value, bool) and value:
            self.numbers[say(value)] += 1


class _TextFacts:
    """Names, texts and numbers of an instruction."""

    def __init__(self, text: str) -> None:
        self.quoted = Counter(QUOTED.findall(text))
        self.bare = QUOTED.sub('""', text)
        self.words = Counter(WORD.findall(self.bare))
        found = [number for number in NUMBER.findall(self.bare) if float(number)]
        self.numbers: Counter[str] = Counter(found)

    def states(self, name: str) -> bool:
        return name in self.words or name in self.quoted

    def names(self) -> Iterator[str]:
        """Yield the words that look like names: capitals or underscores, but not the words that open
        sentences.
        """
        first = Counter(START.findall(self.bare))
        for word, count in self.words.items():
            if word.islower():
                continue
            if not any(char.isupper() or char == "_" for char in word[1:]):
                openers = first[word] if word.lower() in _openers() else 0
                if openers >= count:
                    continue
            yield word


@cache
def _openers() -> frozenset[str]:
    """Return the words that instructions open sentences with, in lower case."""
    words = set(OPENERS)
    for node in vocabulary().nodes.values():
        for template in _templates(node):
            starts = re.match(r"\{\w+\?(\w+)\|(\w+)\}|(\w+)", template)
            words.update(word.lower() for word in (starts.groups() if starts else ()) if word)
    return frozenset(words)


@by_name
def _capitals(node: NodeType) -> frozenset[str]:
    """Return the words with capitals that belong to the wordings of a node type and of its pins."""
    texts = [*_templates(node), *(spaced(pin.name) for pin in (*node.inputs, *node.outputs))]
    words = (word for text in texts for word in WORD.findall(SLOT.sub("", text)))
    return frozenset(word for word in words if not word.islower())


def _templates(node: NodeType) -> tuple[str, ...]:
    if is_structural(node):
        return ()
    if node.is_entry:
        return event_templates(node)
    if node.kind == "pure":
        names = [pin.name for pin in data_outputs(node)] or [""]
        return tuple(text for name in names for text in value_templates(node, name))
    if is_flow(node):
        wordings = flow_wordings(node)
        return tuple(
            text
            for wording in wordings
            for text in (
                *([wording.lead] if wording.lead else wording.pins.values()),
                *wording.alone.values(),
            )
        )
    return step_templates(node)


def _declarations(instruction: str, bp: Blueprint) -> list[str]:
    """Compare the variables an instruction introduces with those of the program: names, types, start
    values.
    """
    said: dict[str, tuple[str, str]] = {}
    for pattern in DECLARED:
        for match in pattern.finditer(instruction):
            value = match.groupdict().get("value") or ""
            said.setdefault(match["name"].strip('"'), (match["type"], value))
    wanted = {v.name: (type_words(v.type), "" if v.default is None else say(v.default)) for v in bp.variables}
    found = [
        f"variable {name} is said to be {said.get(name)}"
        for name, fact in wanted.items()
        if said.get(name) != fact
    ]
    return found + [f"variable {name} is not in the program" for name in said if name not in wanted]


def _classes(instruction: str, bp: Blueprint) -> list[str]:
    """Compare the parent class and the types of user pins with what an instruction says of them."""
    found = []
    for match in PARENT.finditer(instruction):
        said = match["parent"] or match["unnamed"] or match["stated"]
        if match["name"] in (bp.name, None) and said != bp.parent:
            found.append(f"the parent is said to be {said}")
    specs = [spec for graph in bp.graphs for spec in graph.pins]
    specs += [spec for node in bp.nodes() if "EventName" in dict(node.properties) for spec in node.pins]
    for spec in specs:
        stated = f"{spec.type} {spec.name}", f"{spec.name} ({spec.type})"
        if spec.type != EXEC and not any(words in instruction for words in stated):
            found.append(f"pin {spec.name} is not said to be of type {spec.type}")
    return found


def _wordings(instruction: str, bp: Blueprint) -> list[str]:
    """Return the node types asked for less often than they occur, literal Bools and jumps included."""
    found = []
    text = instruction.lower()
    counts = Counter(node.type for node in bp.nodes())
    for name, count in counts.items():
        node_type = load_catalog().lookup(name)
        if node_type is None or name == GET or is_structural(node_type):
            continue
        asked = any(pattern.search(instruction) for pattern in _patterns(node_type))
        if not asked or count > 1 and len(_fragments(node_type).findall(text)) < count:
            found.append(f"{name} is not asked for {count} times")
    for node in bp.nodes():
        node_type = load_catalog().lookup(node.type)
        for pin, value in node.properties:
            if node_type and isinstance(value, bool):
                if not _flag(node_type, pin, say(value)).search(instruction):
                    found.append(f"{node.type}.{pin} is not said to be {say(value)}")
    return found + _jumps(instruction, bp)


def _jumps(instruction: str, bp: Blueprint) -> list[str]:
    """Return the wires into further exec inputs, such as that which opens a gate, that are not asked for."""
    found = []
    for graph in bp.graphs:
        types = {node.id: load_catalog().lookup(node.type) for node in graph.nodes}
        for wire in graph.wires:
            node = types.get(wire.target)
            if wire.kind == "exec" and node is not None and wire.target_pin in entries(node)[1:]:
                if not any(words in instruction.lower() for words in jump_words(node, wire.target_pin)):
                    found.append(f"{node.name}.{wire.target_pin} is not asked for")
    return found


@by_name
def _patterns(node: NodeType) -> tuple[re.Pattern[str], ...]:
    """Return a pattern per wording: its words in order, with anything for what fills it."""
    texts = []
    for template in _templates(node):
        text, end = "", 0
        for match in re.finditer(r"\[[^\]]*\]|" + SLOT.pattern, template):
            text += re.escape(template[end : match.start()])
            end = match.end()
            if match[0].startswith("["):
                text += ".*?"
            else:
                text += f"(?:{re.escape(match['yes'])}|{re.escape(match['no'])})" if match["yes"] else ".+?"
        texts.append(re.compile(text + re.escape(template[end:]), re.IGNORECASE | re.DOTALL))
    return tuple(texts)


@by_name
def _fragments(node: NodeType) -> re.Pattern[str]:
    """Return a pattern of what to count: the longest fixed words of each wording, or the words for a
    literal Bool.
    """
    kept: dict[str, None] = {}
    for template in _templates(node):
        parts = re.split(r"\[[^\]]*\]|\{[^}]*\}", template)
        longest = max(parts, key=len).strip().lower()
        if longest:
            kept[longest] = None
            continue
        for match in SLOT.finditer(template):
            kept.update(dict.fromkeys(word for word in (match["yes"], match["no"]) if word))
    words = "|".join(_as_words(text) for text in sorted(kept, key=len, reverse=True))
    return re.compile(f"(?:{words})")


def _as_words(text: str) -> str:
    """Return a pattern for a text that begins and ends where a word does; a mark may follow a word."""
    before, after = (r"\b" if re.match(r"\w", end) else "" for end in (text[0], text[-1]))
    return before + re.escape(text) + after


@by_name
def _flag(node: NodeType, pin: str, said: str) -> re.Pattern[str]:
    """Return a pattern of the words that say a literal Bool of a node."""
    words = (
        {f"to {said}", f": {said}", f"{said}"}
        if node.name == "SetVar"
        else {f"to {said}", f": {said}", f"{said} as"}
    )
    for template in _templates(node):
        for match in SLOT.finditer(template):
            if match["pin"] == pin and match["yes"] is not None:
                words.add(match["yes"] if said == "true" else match["no"])
    return re.compile(
        r"(?:^|\b|(?=:))(?:" + "|".join(re.escape(w) for w in sorted(words)) + r")\b", re.IGNORECASE
    )
