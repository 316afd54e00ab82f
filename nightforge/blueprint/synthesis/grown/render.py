"""Says trees in English: fills templates with what feeds the inputs, and says what a template leaves out."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nightforge.blueprint.graph import Value, is_identifier
from nightforge.blueprint.synthesis.grown.derive import step_templates, value_templates
from nightforge.blueprint.synthesis.grown.labels import output_label, own_label
from nightforge.blueprint.synthesis.grown.naming import Names, say
from nightforge.blueprint.synthesis.grown.tree import Call, Source
from nightforge.blueprint.synthesis.grown.vocabulary import data_inputs, extra_inputs, spaced

USUAL = 0.35  # odds of the first template before an even choice among all
SLOT = re.compile(r"\{(?P<pin>\w+)(?P<form>'s|![a-z])?(?:\?(?P<yes>[^|}]*)\|(?P<no>[^}]*))?\}")
SPECIAL = ("pin", "nth", "case", "class", "self", "out", "list", "tracks")  # slots that name no pin
TEXTS = ("String", "Text", "Name", "T", "K", "V")  # literals of these types stand in quotes
OPTIONAL = re.compile(r"\[([^\]]*)\]")


class Speaker:
    """Puts one program into words; templates are drawn, so that the same tree can be said in many ways."""

    def __init__(self, names: Names, parent: str) -> None:
        """Keep the random source and the class that `this ...` names."""
        self.names = names
        self.itself = f"this {spaced(parent).replace('_', ' ')}"

    def step(self, call: Call) -> str:
        """Say a step as an imperative, every filled input included."""
        return self.fill(call, self.choose(step_templates(call.type), call))

    def choose(self, templates: Sequence[str], call: Call) -> str:
        """Draw one of the templates that suit what is filled; the last one where none does."""
        fitting = [template for template in templates if self.suits(call, template)] or [templates[-1]]
        return fitting[0] if self.names.chance(USUAL) else self.names.pick(fitting)

    def suits(self, call: Call, template: str) -> bool:
        """Say whether the inputs a template needs are filled in the way it needs."""
        for match in SLOT.finditer(OPTIONAL.sub("", template)):
            pin = match["pin"]
            if pin in SPECIAL:
                continue
            if pin == "Target" and not self._filled(call, pin):
                continue
            if not self._filled(call, pin) or not self._possible(call, match):
                return False
        return True

    def _possible(self, call: Call, match: re.Match[str]) -> bool:
        if match["yes"] is not None:
            return isinstance(call.properties.get(match["pin"]), bool)
        if match["form"] == "'s":
            source = call.inputs.get(match["pin"])
            return source is not None and (source.shared or bool(source.variable))
        return True

    def fill(self, call: Call, template: str, extra: dict[str, str] | None = None) -> str:
        """Fill a template; inputs it leaves out are said behind it."""
        return self.slots(call, template, extra or {}) + self.tail(call, self.mentioned(call, template))

    def mentioned(self, call: Call, template: str) -> set[str]:
        """Return the inputs that a template says."""
        return {match["pin"] for match in SLOT.finditer(self._resolved(call, template))}

    def tail(self, call: Call, mentioned: set[str]) -> str:
        """Say the filled inputs and properties that were not mentioned."""
        said = []
        target = ""
        pins = [entry.name for entry in call.type.properties] + [
            pin.name for pin in (*data_inputs(call.type), *extra_inputs(call.type))
        ]
        own = [name for name, _ in call.ins]
        for pin in [*pins, *own]:
            if pin in mentioned or not self._filled(call, pin):
                continue
            if pin == "Target":
                target = f" on {self.slot(call, pin)}"
            elif isinstance(call.properties.get(pin), bool):
                said.append(f"{pin if pin in own else spaced(pin)} set to {self.slot(call, pin)}")
            else:
                said.append(f"{pin if pin in own else spaced(pin)} {self.slot(call, pin)}")
        return target + (" with " + " and ".join(said) if said else "")

    def slots(self, call: Call, template: str, extra: dict[str, str]) -> str:
        text = self._resolved(call, template)
        found = list(SLOT.finditer(text))
        infix = text.startswith("{")
        last = found[-1].start() if found else -1

        def slot(match: re.Match[str]) -> str:
            pin = match["pin"]
            if pin in extra:
                return extra[pin]
            if pin == "self":
                return self.itself.removeprefix("this ")
            if pin == "list":
                return self.family(call)
            if match["yes"] is not None:
                return match["yes"] if call.properties[pin] else match["no"]
            said = self.slot(call, pin, match["form"] or "", several=len(found) > 1)
            if match["form"] or len(found) < 2 or pin not in call.inputs:
                return said
            return f"({said})" if self._ambiguous(call, pin, infix, match.start() == last) else said

        return SLOT.sub(slot, text)

    def _resolved(self, call: Call, template: str) -> str:
        """Keep the optional parts whose inputs are filled."""

        def optional(match: re.Match[str]) -> str:
            slots = list(SLOT.finditer(match[1]))
            kept = all(self._filled(call, slot["pin"]) and self._possible(call, slot) for slot in slots)
            return match[1] if kept else ""

        return OPTIONAL.sub(optional, template)

    def family(self, call: Call) -> str:
        """Say the numbered inputs of a call one after another."""
        said = [self.slot(call, pin) for pin in _family(call)]
        return ", ".join(said[:-1]) + f" and {said[-1]}" if len(said) > 1 else said[0]

    def _ambiguous(self, call: Call, pin: str, infix: bool, last: bool) -> bool:
        """Say whether a value of several words must stand in parentheses among the others of a template."""
        source = call.inputs[pin]
        if source.call is None or source.shared or source.variable:
            return False
        if call.type.kind != "pure":
            return not last and _several_inputs(source)
        if any(pin.type == "Bool" for pin in call.type.outputs):
            return source.type == "Bool"
        return _several_inputs(source) or infix and not last and bool(source.call.inputs)

    def _filled(self, call: Call, pin: str) -> bool:
        return pin in call.properties or pin in call.inputs

    def slot(self, call: Call, pin: str, form: str = "", several: bool = False) -> str:
        """Say what fills an input, in the form a template asks for."""
        if pin in call.properties:
            said = self.property(call, pin, bare=form == "!b")
            return said + (" second" if said == "1" else " seconds") if form == "!s" else said
        source = call.inputs.get(pin)
        if source is None:
            return f"{self.itself}'s" if form == "'s" else self.itself
        if form in ("!c", "!n"):
            return self.condition(source, negated=form == "!n", inside=several)
        if form == "!s":
            return self.seconds(source)
        said = self.value(source)
        return f"{said}'s" if form == "'s" else said

    def seconds(self, source: Source) -> str:
        """Say a number as a time."""
        said = self.value(source)
        if source.is_literal or source.variable:
            return "1 second" if said == "1" else f"{said} seconds"
        return f"as many seconds as {said}"

    def property(self, call: Call, pin: str, bare: bool = False) -> str:
        """Say a literal: names bare where they can be, texts in quotes."""
        value = call.properties[pin]
        declared = call.type.declared(pin)
        found = call.type.input(pin)
        named = declared is not None or bare or (found is not None and found.role != "literal")
        type_ = found.type if found else dict(call.ins).get(pin, "String")
        return literal_words(value, type_, named)

    def value(self, source: Source) -> str:
        """Say a value as a noun."""
        if source.call is None:
            assert source.literal is not None
            return literal_words(source.literal, source.type, False)
        if source.variable:
            return name_words(source.variable)
        if source.shared:
            return self.label(source)
        return f"whether {self.condition(source)}" if _is_clause(source) else self._pure(source)

    def label(self, source: Source) -> str:
        """Say a value in reach: by the name of a user pin, or by what its node hands over."""
        assert source.call is not None
        if any(name == source.pin for name, _ in source.call.outs):
            return own_label(source.call, source.pin)
        return output_label(source.call.type, source.pin)

    def condition(self, source: Source, negated: bool = False, inside: bool = False) -> str:
        """Say a Bool as a condition, as it stands behind `if`."""
        if source.call is None:
            return say(bool(source.literal) is not negated)
        if source.variable or source.shared:
            text = name_words(source.variable) if source.variable else self.label(source)
            if negated:
                return f"{text} is {self.names.pick(('false', 'not true'))}"
            return f"{text} is {'true' if self.names.chance(0.7) else 'set'}"
        text = self._pure(source)
        if not _is_clause(source):
            return f"{text} is {'false' if negated else 'true'}"
        joined = len(source.call.inputs) > 1 and all(s.type == "Bool" for s in source.call.inputs.values())
        if negated:
            return f"it is not the case that {text}" if not joined else f"it is not the case that ({text})"
        return f"({text})" if inside and joined else text

    def _pure(self, source: Source) -> str:
        assert source.call is not None
        call = source.call
        template = self.choose(value_templates(call.type, source.pin), call)
        return self.fill(call, template, {"out": source.pin})


def _several_inputs(source: Source) -> bool:
    assert source.call is not None
    return len(source.call.inputs) + len(source.call.properties) > 1


def _family(call: Call) -> list[str]:
    """Return the numbered inputs of a call that are filled, in order."""
    stems = [pin.name[:-1] for pin in call.type.inputs if pin.dynamic == "number" and not pin.is_exec]
    given = [*call.inputs, *call.properties]
    return sorted(pin for pin in given if any(pin.startswith(s) and pin[len(s) :].isdecimal() for s in stems))


def _is_clause(source: Source) -> bool:
    """Say whether the templates of a pure node are conditions: its output is a Bool whatever feeds it."""
    assert source.call is not None
    found = source.call.type.output(source.pin)
    return found is not None and found.type == "Bool"


def name_words(name: str) -> str:
    """Write a name: bare where it is an identifier, otherwise in quotes."""
    return name if is_identifier(name) else f'"{name}"'


def literal_words(value: Value, type_: str, named: bool) -> str:
    """Write a literal: the names of things bare, texts in quotes, numbers as people write them."""
    if isinstance(value, str) and (named or type_ not in TEXTS):
        return name_words(value)
    return say(value)
