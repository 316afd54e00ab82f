"""A name from outside becomes a file name only if it is harmless everywhere; a file must be readable."""

from __future__ import annotations

import ntpath
import random
import struct
import unicodedata
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

from nightforge.web.import_files import (
    NAME_BYTES,
    NAME_LIMIT,
    BadFile,
    check_content,
    clean_name,
    folded,
    free_name,
    member_name,
    suffix_of,
)

BAD_NAMES = [
    "",
    ".",
    "..",
    "...csv",
    ".hidden.csv",
    "../a.csv",
    "..\\a.csv",
    "/etc/passwd.csv",
    "C:\\a.csv",
    "C:a.csv",
    "a/b.csv",
    "a.csv:stream",
    "a.csv::$DATA",
    "a\0.csv",
    "a\n.csv",
    "a\x7f.csv",
    "a\u202egpj.csv",
    "a\u200b.csv",
    "\ufeffa.csv",
    "a.csv ",
    " a.csv",
    "a.csv.",
    "a?.csv",
    "a*.csv",
    "a|b.csv",
    "<a>.csv",
    'a".csv',
    "con.csv",
    "CON",
    "NUL.csv",
    "nul .csv",
    "aux.tar.csv",
    "COM1.csv",
    "com\u00b9.csv",
    "LPT9.npy",
    "CONIN$.csv",
    "a" * NAME_LIMIT + ".csv",
    "\u00e4" * 118 + ".csv",
]


@pytest.mark.parametrize("name", BAD_NAMES, ids=range(len(BAD_NAMES)))
def test_a_name_that_could_mean_something_else_is_refused(name: str) -> None:
    with pytest.raises(BadFile, match="name"):
        clean_name(name)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("a.csv", "a.csv"),
        ("Line 3 (north) [2026-11-22].CSV", "Line 3 (north) [2026-11-22].csv"),
        ("Prüfstand 7 – Lüfter.csv", "Prüfstand 7 – Lüfter.csv"),
        (unicodedata.normalize("NFD", "Müller.csv"), "Müller.csv"),
        ("振動.npy", "振動.npy"),
        ("table.pq", "table.parquet"),
        ("console.csv", "console.csv"),
        ("com10.csv", "com10.csv"),
        ("a.b.c.csv", "a.b.c.csv"),
        ("--set.csv", "--set.csv"),
    ],
)
def test_an_ordinary_name_is_kept(sent: str, kept: str) -> None:
    assert clean_name(sent) == kept


def test_equal_names_get_numbers_upper_and_lower_case_alike() -> None:
    taken = {folded("A.csv"), folded("a_1.csv"), folded("STRASSE.csv")}
    assert free_name("a.csv", taken) == "a_2.csv"
    assert free_name("straße.csv", taken) == "straße_1.csv"
    assert free_name("b.csv", taken) == "b.csv"


def is_reserved(name: str) -> bool:
    """Ask the standard library, which moved the question in 3.13."""
    asked = getattr(ntpath, "isreserved", None)
    return bool(asked(name)) if asked else PureWindowsPath(name).is_reserved()


def test_twenty_thousand_random_names_never_leave_the_folder(tmp_path: Path) -> None:
    draw = random.Random(5)
    pieces = [*"abC01._- /\\:*?\"<>|\0\n\t~$%&'()[]", "..", "CON", "nul", "com1", ".csv", ".npy", "ä", "é"]
    pieces += ["\u202e", "\u2028", "\ud800", "\ufeff", "ﬁ", "İ", "／", "．．", "aux.", "con "]
    kept = 0
    for _ in range(20_000):
        name = "".join(draw.choices(pieces, k=draw.randint(0, 12)))
        try:
            clean = clean_name(name)
        except BadFile:
            continue
        kept += 1
        assert clean == PurePosixPath(clean).name == PureWindowsPath(clean).name
        assert not is_reserved(clean) and not clean.startswith(".")
        assert len(clean.encode("utf-8")) <= NAME_BYTES + 8 and len(clean.splitlines()) == 1
        assert clean_name(clean) == clean
        assert (tmp_path / clean).parent == tmp_path
    assert kept > 200


@pytest.mark.parametrize(
    ("name", "own"),
    [("a.csv", "a.csv"), ("run/1/a.csv", "a.csv"), ("run\\1\\a.csv", "a.csv"), ("a/b\\c.csv", "c.csv")],
)
def test_a_member_of_an_archive_keeps_its_own_name_alone(name: str, own: str) -> None:
    assert member_name(name) == own


@pytest.mark.parametrize(
    ("name", "stream"),
    [
        ("a.npy", "patchtst"),
        ("a.parquet", "swinmae"),
        ("a.exe", "patchtst"),
        ("a", "swinmae"),
        ("a.csv.gz", "patchtst"),
    ],
)
def test_a_suffix_the_stream_does_not_take_is_refused(name: str, stream: str) -> None:
    with pytest.raises(BadFile, match="only .csv"):
        suffix_of(name, stream)


def npy(header: str, data: bytes = b"", magic: bytes = b"\x93NUMPY\x01\x00") -> bytes:
    text = header.encode() + b"\n"
    return magic + struct.pack("<H", len(text)) + text + data


PLAIN = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"
GOOD = [
    ("csv", b"time,a,b\n0,1.5,2\n1,2,3\n"),
    ("csv", b"\xef\xbb\xbfa;b\r\n1,5;2,5\r\n"),
    ("csv", "a\tb\n1\t2\n".encode("utf-16")),
    ("csv", b"0.1 0.2 0.3\n-1e-3 +2 .5\n"),
    ("csv", b'"a","b"\n"2026-01-01 00:00","3"\n'),
    ("csv", b"a,b\n" + b"1,2\n" * 60_000),
    ("parquet", b"PAR1" + b"x" * 20 + struct.pack("<I", 10) + b"PAR1"),
    ("npy", npy(PLAIN, b"\0" * 24)),
    ("npy", npy("{'descr': '|i1', 'fortran_order': True, 'shape': (1, 3)}", b"\0" * 3)),
    ("zip", b"PK\x03\x04rest" + b"PK\x05\x06" + bytes(18)),
]


@pytest.mark.parametrize(("kind", "data"), GOOD, ids=range(len(GOOD)))
def test_a_file_of_its_kind_is_taken(tmp_path: Path, kind: str, data: bytes) -> None:
    path = tmp_path / "incoming"
    path.write_bytes(data)
    check_content(path, kind, "patchtst")


BAD = [
    ("csv", b"", "empty"),
    ("csv", b"a,b\n", "no row"),
    ("csv", b"a,b\n\n\n", "no row"),
    ("csv", b"a,b\nc,d\n", "no number"),
    ("csv", b"PK\x03\x04\x00\x00", "not text"),
    ("csv", b"<!DOCTYPE html>\n<html>\n<p>not found</p>\n", "no number"),
    ("parquet", b"PAR1", "no Parquet"),
    ("parquet", b"PAR1" + b"x" * 20, "no Parquet"),
    ("parquet", b"PAR1" + b"x" * 20 + struct.pack("<I", 99) + b"PAR1", "damaged"),
    ("npy", b"\x93NUMPY", "no NPY"),
    ("npy", b"1,2,3\n" * 9, "no NPY"),
    ("npy", npy(PLAIN, b"\0" * 23), "should have"),
    ("npy", npy(PLAIN, b"\0" * 25), "should have"),
    ("npy", npy(PLAIN.replace("(2, 3)", "(3, 2)"), b"\0" * 24), "3 x 2"),
    ("npy", npy(PLAIN.replace("(2, 3)", "(6,)"), b"\0" * 24), "rows of three axes"),
    ("npy", npy(PLAIN.replace("(2, 3)", "()"), b"\0" * 24), "a single number"),
    ("npy", npy(PLAIN.replace("(2, 3)", "(-2, 3)"), b"\0" * 24), "no shape"),
    ("npy", npy(PLAIN.replace("(2, 3)", "(0, 3)")), "0 x 3"),
    ("npy", npy(PLAIN.replace("<f4", "|O"), b"\0" * 24), "no plain numbers"),
    ("npy", npy(PLAIN.replace("'<f4'", "[('x', '<f4')]"), b"\0" * 24), "no plain numbers"),
    ("npy", npy("__import__('os').system('true')"), "damaged"),
    ("npy", npy("[1]"), "damaged"),
    ("npy", npy("(" * 3000), "damaged"),
    ("npy", npy(PLAIN, b"\0" * 24, b"\x93NUMPY\x09\x00"), "no NPY"),
    ("npy", b"\x93NUMPY\x02\x00" + b"\xff\xff\xff\x7f" + b"{}", "damaged"),
    ("zip", b"a,b\n1,2\n", "no zip"),
    ("zip", b"PK\x03\x04 and then nothing", "its end is missing"),
    ("zip", b"PK\x03\x04" + b"PK\x05\x06" + bytes(8) + b"\xff" * 4 + bytes(6), "more files"),
]


@pytest.mark.parametrize(("kind", "data", "words"), BAD, ids=range(len(BAD)))
def test_a_file_that_is_not_of_its_kind_is_refused_with_the_reason(
    tmp_path: Path, kind: str, data: bytes, words: str
) -> None:
    path = tmp_path / "incoming"
    path.write_bytes(data)
    with pytest.raises(BadFile, match=words):
        check_content(path, kind, "swinmae")
