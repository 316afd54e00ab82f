"""The editor's text is read whole in every spelling, or refused with a code, a line and a reason."""

from __future__ import annotations

import io
import time

import pytest
from clipboard_paste import Paste, out, pin
from clipboard_samples import SAMPLES, call_with_literals, large_sample

from nightforge.blueprint.clipboard import reading
from nightforge.blueprint.clipboard.errors import CODES, ClipboardError
from nightforge.blueprint.clipboard.objects import object_path, place_of
from nightforge.blueprint.clipboard.reading import decode, file_bytes, read_objects, stream_bytes
from nightforge.blueprint.clipboard.tokens import fields, items, quoted, unquote
from nightforge.blueprint.clipboard.translate import translate

TEXT = call_with_literals().text()


def program(text: str) -> str:
    return "".join(document.text for document in translate(text).documents)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ('"a"', "a"),
        ("bare", "bare"),
        (r'"say \"hi\", \\ \'x\' \n\r\t."', "say \"hi\", \\ 'x' \n\r\t."),
        (r'"\u00e9\x41\U0001F4A1\q"', "\u00e9A\U0001f4a1\\q"),
        ('"', '"'),
        ('""', ""),
    ],
)
def test_quotes_and_escapes_are_resolved(raw: str, value: str) -> None:
    assert unquote(raw) == value


def test_what_is_quoted_is_read_back() -> None:
    text = "two\nlines, \"quotes\" 'marks' (brackets) \\ \t and \u4f60"
    assert unquote(quoted(text)) == text


def test_fields_keep_nested_values_whole() -> None:
    text = '(A="x, (y)",B=(C=1,D=("e)")),F=/Script/X.Y\'"/Game/Z(1).Z"\',"G"=,)tail'
    pairs, end = fields(text)
    assert dict(pairs) == {
        "A": '"x, (y)"',
        "B": '(C=1,D=("e)"))',
        "F": "/Script/X.Y'\"/Game/Z(1).Z\"'",
        "G": "",
    }
    assert text[end:] == "tail"
    assert items("(N_0 A1,N_1 B2,)") == ["N_0 A1", "N_1 B2"]


@pytest.mark.parametrize(
    "reference",
    [
        "\"/Script/CoreUObject.Class'/Script/Engine.Actor'\"",
        "/Script/CoreUObject.Class'\"/Script/Engine.Actor\"'",
        "/Script/CoreUObject.Class'/Script/Engine.Actor'",
    ],
)
def test_references_mean_the_same_however_they_are_quoted(reference: str) -> None:
    assert object_path(reference) == ("/Script/CoreUObject.Class", "/Script/Engine.Actor")


@pytest.mark.parametrize(
    ("path", "asset", "graph"),
    [
        ("/Game/Yard/BP_Lantern.BP_Lantern:EventGraph.K2Node_Event_0", "BP_Lantern", ("EventGraph",)),
        ("/Game/Map.Map:PersistentLevel.Map.EventGraph.K2Node_Knot_1", "Map", ("EventGraph",)),
        (
            "/Game/A.A:EventGraph.K2Node_Composite_0.Inner.K2Node_Knot_1",
            "A",
            ("EventGraph", "K2Node_Composite_0", "Inner"),
        ),
        ("", "", ()),
    ],
)
def test_asset_and_graph_come_from_the_export_path(path: str, asset: str, graph: tuple[str, ...]) -> None:
    place = place_of(f"\"/Script/BlueprintGraph.K2Node_X'{path}'\"" if path else "")
    assert (place.asset_name, place.graph) == (asset, graph)


@pytest.mark.parametrize("name", SAMPLES)
def test_old_and_new_spelling_give_the_same_program(name: str) -> None:
    paste = SAMPLES[name]()
    assert program(paste.text(old=True, indent="\t")) == program(paste.text(indent="  "))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_every_encoding_an_editor_saves_is_read(encoding: str) -> None:
    text = TEXT.replace("lamp on", "Lampe \u00e4n")
    assert program(decode(text.encode(encoding))) == program(text)


def test_line_ends_and_a_byte_order_mark_change_nothing() -> None:
    assert program("\ufeff" + TEXT.replace("\n", "\r\n")) == program(TEXT)


HALF = TEXT[: TEXT.rindex("PinType.PinCategory")]
PIN = 'CustomProperties Pin (PinId=A1,PinName="execute",PinType.PinCategory="exec",)'
NODE = 'Begin Object Class=/Script/BlueprintGraph.K2Node_IfThenElse Name="N"\n'


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("", "CLIP101", "empty"),
        ("\ufeff \n\n", "CLIP101", "empty"),
        (HALF, "CLIP104", "cut off"),
        (TEXT[: TEXT.rindex("End Object")], "CLIP104", "no End Object"),
        (TEXT[TEXT.index("\n") + 1 :], "CLIP105", "outside of any object"),
        ("End Object\n", "CLIP104", "start is missing"),
        ("hello\n", "CLIP105", "outside of any object"),
        (f"{NODE}   what is this\nEnd Object", "CLIP105", "neither Key=Value nor a pin"),
        (f'{NODE}   CustomProperties Pin (PinId=A1,PinName="x\nEnd Object', "CLIP104", "not closed"),
        ('Begin Object Class=K2Node_X "x"\nEnd Object', "CLIP105", "in Begin Object"),
        ("Begin Object Class=/Script/BlueprintGraph.K2Node_Knot\nEnd Object", "CLIP105", "no Name"),
        ('Begin Object Name="K2Node_Knot_0"\nEnd Object', "CLIP105", "no Class"),
        ('Begin Object Class= Name="K2Node_Knot_0"\nEnd Object', "CLIP105", "empty Class"),
        ("Begin Object Class=A Name=B\n" * 40, "CLIP108", "within each other"),
        (f"{NODE}{PIN[:-1]}LinkedTo=(Nowhere,),)\nEnd Object", "CLIP105", "is not a node and a PinId"),
        ("Begin Map\n   Begin Level\n", "CLIP106", "from a level"),
    ],
)
def test_a_broken_text_is_refused_with_code_and_reason(text: str, code: str, words: str) -> None:
    with pytest.raises(ClipboardError, match=words) as caught:
        translate(text)
    assert caught.value.code == code
    assert code in CODES


@pytest.mark.parametrize(
    ("cls", "words"),
    [
        ("/Script/RigVMDeveloper.RigVMUnitNode", "Control Rig"),
        ("/Script/ControlRigDeveloper.ControlRigGraphNode", "Control Rig"),
        ("/Script/UnrealEd.MaterialGraphNode", "Material"),
        ("/Script/NiagaraEditor.NiagaraNodeFunctionCall", "Niagara"),
        ("/Script/PCGEditor.PCGEditorGraphNode", "PCG"),
        ("/Script/UMG.Button", "without pins"),
    ],
)
def test_other_kinds_of_graphs_are_refused_by_name(cls: str, words: str) -> None:
    with pytest.raises(ClipboardError, match=words) as caught:
        translate(TEXT + f'Begin Object Class={cls} Name="Odd_0"\n   Key=1\nEnd Object\n')
    assert caught.value.code == "CLIP106"
    assert cls in str(caught.value)


def test_nodes_of_animation_graphs_and_of_plugins_are_kept() -> None:
    paste = Paste()
    paste.add("/Script/AnimGraph.AnimGraphNode_Slot", 'Node=(SlotName="Arm")', pins=[pin("Source", "struct")])
    paste.add("/Script/YardTools.YardNode_Bell", pins=[pin("execute"), out("then")])
    text = program(paste.text())
    assert '"/Script/AnimGraph.AnimGraphNode_Slot" [@Node="(SlotName=\\"Arm\\")"]' in text
    assert '"/Script/YardTools.YardNode_Bell"' in text


@pytest.mark.parametrize(
    "data", [b"\xff\xfe\x00", b"Begin \xe9 Object", b"\x00\x01\x02\x03", bytes(range(256))]
)
def test_other_bytes_are_no_text(data: bytes) -> None:
    with pytest.raises(ClipboardError) as caught:
        decode(data)
    assert caught.value.code == "CLIP102"


def test_a_text_over_the_limit_is_refused_before_it_is_read(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES", 1000)
    path = tmp_path / "large.txt"
    path.write_bytes(b"x" * 1001)
    for read in (lambda: file_bytes(path), lambda: stream_bytes(io.BytesIO(b"x" * 5000))):
        with pytest.raises(ClipboardError, match="limit") as caught:
            read()
        assert caught.value.code == "CLIP103"


def test_a_hundred_megabytes_are_refused_at_once(tmp_path) -> None:
    path = tmp_path / "huge.txt"
    with path.open("wb") as file:
        file.truncate(100 * 2**20)
    before = time.perf_counter()
    with pytest.raises(ClipboardError, match="100 MB"):
        file_bytes(path)
    assert time.perf_counter() - before < 0.5


def test_reading_takes_time_in_proportion_to_the_text() -> None:
    def seconds(size: int) -> float:
        text = large_sample(size)
        before = time.perf_counter()
        read_objects(text)
        return time.perf_counter() - before

    seconds(50_000)
    assert seconds(1_600_000) < 16 * max(seconds(400_000), 0.005)


def test_deep_parentheses_and_long_escapes_neither_crash_nor_hang() -> None:
    for value in ("(" * 100_000, '"' + "\\" * 100_000, "(,)" * 50_000, "=" * 100_000):
        with pytest.raises(ClipboardError):
            translate(f"{NODE}CustomProperties Pin (PinId=A1,X={value}\nEnd Object\n")
