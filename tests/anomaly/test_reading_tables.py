"""The same table in any spelling of CSV, in Parquet or in a zip file is the same numbers."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightforge.anomaly import readers
from nightforge.anomaly.readers import Source, Table, read_table
from nightforge.core.errors import BadDataError


def table(data: bytes, kind: str = "csv", stamp: str | None = None) -> Table:
    return read_table(Source("file", kind, lambda: io.BytesIO(data), len(data)), stamp)


ROWS = [[1.5, -2.0], [np.nan, 3.25], [1e3, 0.0]]
SPELLINGS = {
    "comma": b"timestamp,a,b\n2020-01-01,1.5,-2\n2020-01-02,,3.25\n2020-01-03,1e3,0\n",
    "semicolon, decimal comma": b"timestamp;a;b\n2020-01-01;1,5;-2,0\n2020-01-02;;3,25\n2020-01-03;1e3;0\n",
    "tab": b"timestamp\ta\tb\n2020-01-01\t1.5\t-2\n2020-01-02\tNaN\t3.25\n2020-01-03\t1000\t0\n",
    "byte order mark, windows lines": "\ufefftimestamp,a,b\r\n2020-01-01,1.5,-2\r\n2020-01-02,,3.25\r\n"
    "2020-01-03,1e3,0\r\n".encode(),
    "utf-16": "timestamp,a,b\n2020-01-01,1.5,-2\n2020-01-02,,3.25\n2020-01-03,1e3,0\n".encode("utf-16"),
    "quoted, decimal comma": b'"timestamp","a","b"\n"2020-01-01","1,5","-2,0"\n"2020-01-02","","3,25"\n'
    b'"2020-01-03","1000","0"\n',
    "spaces, comments, empty lines": b"# exported\n\n timestamp , a , b\n2020-01-01, 1.5, -2\n\n"
    b"2020-01-02, , 3.25\n2020-01-03, 1e3, 0",
    "stamp last, other order": b"b,a,Time\n-2,1.5,2020-01-01\n3.25,,2020-01-02\n0,1000,2020-01-03\n",
    "date and time of day": b"Date;Time;a;b\n01.01.2020;0:00:00;1.5;-2\n"
    b"02.01.2020;0:00:00;;3.25\n03.01.2020;0:00:00;1e3;0\n",
    "infinite is missing": b"timestamp,a,b\n2020-01-01,1.5,-2\n2020-01-02,inf,3.25\n2020-01-03,1e3,0\n",
    "separator at the end": b"timestamp;a;b;\n2020-01-01;1.5;-2;\n2020-01-02;;3.25;\n2020-01-03;1e3;0;\n",
}


@pytest.mark.parametrize("data", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_a_table_is_the_same_in_every_spelling(data: bytes) -> None:
    found = table(data)
    order = [found.columns.index(name) for name in ("a", "b")]
    np.testing.assert_array_equal(found.values[:, order], np.asarray(ROWS, np.float32))
    assert found.times is not None
    np.testing.assert_array_equal(np.diff(found.times.seconds), [86400, 86400])
    assert set(found.text) == {0}


def test_parquet_reads_like_csv(tmp_path: Path) -> None:
    frame = pd.DataFrame(ROWS, columns=["a", "b"], index=pd.date_range("2020-01-01", periods=3, name="when"))
    found = table(frame.reset_index().to_parquet(), "parquet")
    assert found.columns == ("a", "b") and found.time_column == "when"
    np.testing.assert_array_equal(found.values, np.asarray(ROWS, np.float32))
    assert found.times is not None and found.times.epoch


def test_text_and_switches_in_columns() -> None:
    found = table(b"time,a,b,c\n0,1,on,True\n1,broken,on,False\n2,3,off,True\n")
    assert found.text == (1, 3, 0)
    np.testing.assert_array_equal(found.values[:, 0], np.asarray([1, np.nan, 3], np.float32))
    np.testing.assert_array_equal(found.values[:, 2], [1, 0, 1])


def test_latin_1_is_read_and_said() -> None:
    found = table("time,Größe\n0,1\n1,2\n".encode("latin-1"))
    assert found.columns == ("Größe",) and "Latin-1" in found.notes[0]


def test_repeated_and_empty_names_stay_apart() -> None:
    found = table(b",a,a\n0,1,2\n1,3,4\n")
    assert found.columns == ("column 1", "a", "a (2)") and "called 'a'" in found.notes[0]


def test_rows_with_too_many_cells_are_left_out_and_counted() -> None:
    found = table(b"time,a\n0,1\n1,2\n2,3,9,9\n3,4\n")
    assert found.ragged + len(found.values) == 4 and found.ragged == 1


def test_numbers_without_a_header_have_no_names() -> None:
    found = table(b"0.1,0.2,9.8\n0.2,0.1,9.7\n")
    assert not found.headed and found.values.shape == (2, 3)


def test_a_first_row_of_dates_and_numbers_is_no_header() -> None:
    assert not table(b"2020-03-09 10:14:33;0.02;9.8\n2020-03-09 10:14:34;0.03;9.7\n").headed


def test_two_columns_of_one_name_in_parquet_are_refused() -> None:
    import pyarrow
    from pyarrow import parquet

    buffer = io.BytesIO()
    parquet.write_table(pyarrow.table([[1.0], [2.0]], names=["a", "a"]), buffer)
    with pytest.raises(BadDataError, match="two columns of one name"):
        table(buffer.getvalue(), "parquet")


def test_an_exact_timestamp_column_is_taken_or_none() -> None:
    data = b"time,clock,a\n5,0,1\n6,1,2\n"
    assert table(data, stamp="clock").time_column == "clock"
    assert table(data, stamp="Clock").time_column is None


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (b"", "csv", "empty"),
        (b"\n\n", "csv", "empty"),
        (b"time,a\n1,0,5\n2,1,6\n", "csv", "names 2 columns, the rows have 3"),
        (b"PK\x03\x04\x00\x00rest", "csv", "not a text file"),
        (b"PAR1 broken", "parquet", "Parquet"),
        (b"\x93NUMPY broken", "npy", "NPY"),
    ],
)
def test_what_cannot_be_read_is_named(data: bytes, kind: str, words: str) -> None:
    with pytest.raises(BadDataError, match=f"file.*{words}"):
        table(data, kind)


def npy(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=values.dtype == object)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros(9), "shape"),
        (np.zeros((2, 2, 2)), "shape"),
        (np.asarray([["a", "b"]]), "no array of numbers"),
        (np.asarray([{}], dtype=object), "NPY"),
    ],
)
def test_an_array_of_another_kind_is_refused(values: np.ndarray, words: str) -> None:
    with pytest.raises(BadDataError, match=words):
        table(npy(values), "npy")


def test_a_long_file_read_in_pieces_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"2020-01-01 00:00:{row % 60:02d},{row / 8},{'x' if row == 77 else row}" for row in range(100)]
    data = "\n".join(["time,a,b", *lines]).encode()
    whole = table(data)
    monkeypatch.setattr(readers, "ROWS_AT_ONCE", 7)
    pieces = table(data)
    np.testing.assert_array_equal(whole.values, pieces.values)
    np.testing.assert_array_equal(whole.times.seconds, pieces.times.seconds)  # type: ignore[union-attr]
    assert whole.text == pieces.text == (0, 1)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=2), min_size=1, max_size=8),
    st.sampled_from([(";", ","), (";", "."), ("\t", ","), ("\t", "."), (",", ".")]),
)
def test_numbers_survive_any_separator_and_decimal_mark(
    rows: list[list[float]], marks: tuple[str, str]
) -> None:
    separator, decimal = marks
    lines = [separator.join(f"{value!r}".replace(".", decimal) for value in row) for row in rows]
    found = table("\n".join([separator.join("ab"), *lines]).encode())
    np.testing.assert_array_equal(found.values, np.asarray(rows, np.float32))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_or_a_named_error(data: bytes) -> None:
    try:
        found = table(data)
    except BadDataError as error:
        assert "file" in error.message  # noqa: PT017
    else:
        assert found.values.shape == (len(found.values), len(found.columns))
