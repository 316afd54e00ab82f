"""One file into one table of float32 columns: CSV in most of its spellings, Parquet, NPY.

Files are read in pieces, so that ten million rows need little more memory than their numbers. What a cell
could not tell is NaN, and counted. Letters: T rows, C columns.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nightforge.anomaly.columns import clock_columns, stamp_column, unique_names
from nightforge.anomaly.timestamps import StampReader, Times
from nightforge.core.errors import BadDataError

ROWS_AT_ONCE = 200_000
_SAMPLE_BYTES = 256 * 1024
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_DATE = re.compile(r"\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?")
_NUMBER = re.compile(r"\s*[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?\s*")


Tick = Callable[[int], None]


@dataclass(frozen=True)
class Source:
    """A file to read, in a folder or inside a zip. `open` starts at its beginning, whenever it is called."""

    file_id: str
    kind: str  # csv | parquet | npy
    open: Callable[[], IO[bytes]]
    size: int


@dataclass(frozen=True)
class Table:
    """A file as it was read. values: (T, C) float32, NaN without a number; `text`: per column, the cells that
    hold something else. `headed`: the columns have names of their own.
    """

    columns: tuple[str, ...]
    values: NDArray[np.float32]
    text: tuple[int, ...]
    times: Times | None = None
    time_column: str | None = None
    headed: bool = True
    notes: tuple[str, ...] = ()
    ragged: int = 0  # rows with more cells than columns: left out


@dataclass
class _Collector:
    """Puts pieces of columns together."""

    columns: tuple[str, ...]
    stamps: StampReader | None
    tick: Tick
    blocks: list[NDArray[np.float32]] = field(default_factory=list)
    text: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def table(self, time_column: str | None, **facts: Any) -> Table:
        rows = np.concatenate(self.blocks) if self.blocks else np.empty((0, len(self.columns)), np.float32)
        self.blocks.clear()
        text = tuple(int(n) for n in self.text) or (0,) * len(self.columns)
        times = self.stamps.finish() if self.stamps else None
        return Table(self.columns, rows, text, times, time_column, **facts)

    def feed(self, frame: pd.DataFrame, clock: tuple[int, ...], decimal: str) -> None:
        if self.stamps is not None:
            cells = frame.iloc[:, clock[0]]
            for index in clock[1:]:
                cells = cells.astype("str") + " " + frame.iloc[:, index].astype("str")
            self.stamps.feed(cells)
        block = np.empty((len(frame), len(self.columns)), dtype=np.float32)
        counts = np.zeros(len(self.columns), np.int64)
        chosen = [index for index in range(frame.shape[1]) if index not in clock]
        for position, index in enumerate(chosen):
            block[:, position], counts[position] = _numbers(frame.iloc[:, index], decimal)
        self.blocks.append(block)
        self.tick(len(frame))
        self.text = counts if not self.text.size else self.text + counts


def read_table(
    source: Source, timestamp_col: str | None, short_stamp: bool = False, tick: Tick = lambda rows: None
) -> Table:
    """Read a file of any kind. `timestamp_col`: taken exactly; None: the usual names, and with `short_stamp`
    `t` too. `tick` is told the rows of each piece; what it raises ends the reading.

    Raises BadDataError naming the file when it can't be read at all.
    """
    if source.kind == "csv":
        return _read_csv(source, timestamp_col, short_stamp, tick)
    if source.kind == "parquet":
        return _read_parquet(source, timestamp_col, short_stamp, tick)
    return _read_npy(source)


def digest_of(source: Source) -> str:
    """SHA-256 of the file's bytes, as 64 hex digits."""
    digest = hashlib.sha256()
    with source.open() as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _numbers(cells: pd.Series, decimal: str) -> tuple[NDArray[np.float32], int]:
    """(numbers, cells that hold something that is none). Infinite values are missing, not numbers."""
    strange = 0
    if pd.api.types.is_bool_dtype(cells.dtype) or pd.api.types.is_numeric_dtype(cells.dtype):
        wide = cells.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        text = cells.astype("str").str.strip()
        there = text.notna() & (text != "")
        if decimal == ",":
            text = text.str.replace(",", ".", regex=False)
        found = pd.to_numeric(text, errors="coerce")
        strange = int((found.isna() & there).sum())
        wide = found.to_numpy(dtype=np.float64, na_value=np.nan)
    with np.errstate(over="ignore"):
        narrow = wide.astype(np.float32)
    narrow[~np.isfinite(narrow)] = np.nan
    return narrow, strange


# --- CSV ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Dialect:
    """How a text file is written. header: its first row, or None when that is data; skip: lines before it."""

    encoding: str
    separator: str
    decimal: str
    header: tuple[str, ...] | None
    skip: int
    width: int


def encoding_of(source: Source) -> str:
    """Tell UTF-8, UTF-16 (by its mark) or Latin-1, by reading the whole file once."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with source.open() as file:
        piece = file.read(1 << 20)
        for mark, name in _BOMS:
            if piece.startswith(mark):
                return name
        try:
            while piece:
                decoder.decode(piece)
                piece = file.read(1 << 20)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "latin-1"
    return "utf-8"


def dialect_of(source: Source) -> Dialect:
    """Find out how a CSV file is written from its beginning; BadDataError when it is empty or no text."""
    encoding = encoding_of(source)
    with source.open() as file:
        sample = file.read(_SAMPLE_BYTES)
    if b"\x00" in sample and not encoding.startswith("utf-16"):
        raise BadDataError(f"{source.file_id} is not a text file; is it CSV at all?")
    text = sample.decode(encoding, errors="ignore").lstrip("\ufeff")
    if len(sample) == _SAMPLE_BYTES:
        text = text[: text.rfind("\n") + 1] or text  # the last line is cut
    lines = text.splitlines()
    skip = next((i for i, line in enumerate(lines) if line.strip() and not line.startswith("#")), None)
    if skip is None:
        raise BadDataError(f"{source.file_id} is empty")
    body = lines[skip : skip + 200]
    separator = _separator(body)
    rows = [row for row in csv.reader(body, delimiter=separator) if row]
    first = rows[0]
    headless = all(_NUMBER.fullmatch(cell) or _DATE.fullmatch(cell) or not cell.strip() for cell in first)
    data = rows if headless else rows[1:]
    beyond = sum(any(cell.strip() for cell in row[len(first) :]) for row in data)
    if not headless and beyond * 2 > len(data):
        raise BadDataError(
            f"{source.file_id}: the header names {len(first)} columns, the rows have {len(data[0])}; "
            "which name belongs to which column is not clear"
        )
    width = max([len(first), *(len(row) for row in data)]) if headless else len(first)
    decimal = _decimal(data, separator)
    return Dialect(encoding, separator, decimal, None if headless else tuple(first), skip, width)


def _separator(lines: list[str]) -> str:
    """The separator that cuts most lines, the first among them, into the same number of fields."""
    best, best_key = ",", (0.0, 0)
    for rank, mark in enumerate("\t;,"):
        widths = [len(row) for row in csv.reader(lines, delimiter=mark) if row]
        if widths[0] < 2:
            continue
        same = sum(width == widths[0] for width in widths) / len(widths)
        if (same, -rank) > best_key and same > 0.5:
            best, best_key = mark, (same, -rank)
    return best


def _decimal(rows: list[list[str]], separator: str) -> str:
    cells = [cell for row in rows for cell in row if _NUMBER.fullmatch(cell)]
    commas = sum("," in cell for cell in cells)
    return "," if commas > sum("." in cell for cell in cells) else "."


def _read_csv(source: Source, timestamp_col: str | None, short_stamp: bool, tick: Tick) -> Table:
    dialect = dialect_of(source)
    notes: list[str] = []
    if dialect.encoding == "latin-1":
        notes.append("not UTF-8; read as Latin-1")
    names, repeated = unique_names(dialect.header or [""] * dialect.width)
    notes += repeated
    clock = clock_columns(names, timestamp_col, short_stamp) if dialect.header else ()
    columns = tuple(name for index, name in enumerate(names) if index not in clock)
    collector = _Collector(columns, StampReader(names[clock[-1]]) if clock else None, tick)
    ragged = 0
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", pd.errors.ParserWarning)
        try:
            for frame in _csv_pieces(source, dialect, names, clock):
                collector.feed(frame, clock, dialect.decimal)
        except (pd.errors.ParserError, csv.Error, UnicodeError) as error:
            raise BadDataError(f"{source.file_id} can't be read as CSV: {error}") from error
    for warning in heard:
        ragged += len(re.findall(r"Skipping line", str(warning.message)))
        if "Length of header" in str(warning.message):
            notes.append(f"rows hold more cells than the {len(names)} columns; what is beyond was left out")
    time_column = " and ".join(names[index] for index in clock) or None
    headed = dialect.header is not None
    return collector.table(time_column, headed=headed, notes=tuple(dict.fromkeys(notes)), ragged=ragged)


def _csv_pieces(
    source: Source, dialect: Dialect, names: tuple[str, ...], clock: tuple[int, ...]
) -> Iterator[pd.DataFrame]:
    with source.open() as file:
        try:
            reader = pd.read_csv(
                file,
                sep=dialect.separator,
                decimal=dialect.decimal,
                encoding=dialect.encoding,
                header=None,
                names=range(len(names)),
                skiprows=dialect.skip + (1 if dialect.header else 0),
                dtype={index: "str" for index in clock} or None,
                index_col=False,
                skipinitialspace=True,
                low_memory=False,
                on_bad_lines="warn",
                chunksize=ROWS_AT_ONCE,
            )
        except pd.errors.EmptyDataError:  # a header and nothing below it
            return
        yield from reader


# --- Parquet and NPY ---------------------------------------------------------------------------------------


def _read_parquet(source: Source, timestamp_col: str | None, short_stamp: bool, tick: Tick) -> Table:
    import pyarrow
    from pyarrow import parquet

    try:
        with source.open() as file:
            content = parquet.ParquetFile(pyarrow.BufferReader(file.read()))
            schema = content.schema_arrow
            if len(set(schema.names)) < len(schema.names):
                raise BadDataError(f"{source.file_id} has two columns of one name")
            every = [name for name in schema.names if not name.startswith("__index_level_")]
            stamps = [name for name in schema.names if pyarrow.types.is_timestamp(schema.field(name).type)]
            stamp = stamp_column(every, timestamp_col, short_stamp)
            time_column = every[stamp] if stamp is not None else None
            if time_column is None and timestamp_col is None and len(stamps) == 1:
                time_column = stamps[0]  # no usual name, but a column that can be nothing else
            names = [name for name in every if name != time_column]
            collector = _Collector(tuple(names), StampReader(time_column) if time_column else None, tick)
            wanted = [*names, *([time_column] if time_column else [])]
            for batch in content.iter_batches(batch_size=ROWS_AT_ONCE, columns=wanted):
                frame = batch.to_pandas()[wanted]
                collector.feed(frame, (len(names),) if time_column else (), ".")
    except pyarrow.ArrowException as error:
        raise BadDataError(f"{source.file_id} can't be read as Parquet: {error}") from error
    return collector.table(time_column)


def _read_npy(source: Source) -> Table:
    try:
        with source.open() as file:
            seekable = file if file.seekable() else io.BytesIO(file.read())  # inside a zip it is a stream
            values = np.load(seekable, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise BadDataError(f"{source.file_id} can't be read as NPY: {error}") from error
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiub":
        raise BadDataError(f"{source.file_id} holds no array of numbers")
    if values.ndim != 2:
        raise BadDataError(f"{source.file_id} has shape {values.shape}; (samples, 3) is needed")
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    narrow[~np.isfinite(narrow)] = np.nan
    names = tuple(f"column {index + 1}" for index in range(values.shape[1]))
    return Table(names, narrow, (0,) * values.shape[1], headed=False)
