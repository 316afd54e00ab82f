"""Images of windows are computed once, kept whole or not at all, and never more than the limit."""

from __future__ import annotations

import os
import signal as signals
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from nightforge.anomaly import image_cache
from nightforge.anomaly.image_cache import ImageCache, WindowImages
from nightforge.anomaly.recording import window_starts
from nightforge.anomaly.scalogram import Scalogram
from tests.anomaly.vibration_samples import FS, ROWS, segment, settings

STRIDE = 25
ROOT = Path(__file__).resolve().parents[2]


def transform() -> Scalogram:
    return Scalogram(settings(), FS, ROWS)


def cached(
    folder: Path, limit: int = image_cache.LIMIT_BYTES, seed: int = 0
) -> tuple[ImageCache, WindowImages]:
    cache = ImageCache(folder, transform(), limit)
    return cache, cache.images([segment(900, seed), segment(60), segment(230, seed + 1)], STRIDE)


def expected(seed: int = 0) -> np.ndarray:
    made = []
    for samples, number in ((900, seed), (230, seed + 1)):
        values = segment(samples, number).values
        made += [values[first : first + ROWS] for first in window_starts(samples, ROWS, STRIDE)]
    return transform().images(np.stack(made))


def all_of(images: WindowImages) -> np.ndarray:
    return np.stack([images[number] for number in range(len(images))])


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_cache, "_BLOCK", 10)


def test_images_are_those_of_the_windows_and_the_second_time_nothing_is_computed(tmp_path: Path) -> None:
    first, images = cached(tmp_path)
    assert np.array_equal(all_of(images), expected())
    assert np.array_equal(np.concatenate(list(images.by_block())), expected())
    assert first.computed == 5
    again, images = cached(tmp_path)
    assert again.computed == 0
    assert np.array_equal(all_of(images), expected())
    with pytest.raises(IndexError):
        images[len(images)]


def test_other_samples_or_another_transform_are_other_blocks(tmp_path: Path) -> None:
    cached(tmp_path)
    other, images = cached(tmp_path, seed=7)
    assert other.computed == 5
    assert np.array_equal(all_of(images), expected(7))
    morlet = Scalogram(settings(), FS, ROWS)
    morlet.facts = {**morlet.facts, "backend": "morlet"}
    renamed = ImageCache(tmp_path, morlet)
    renamed.images([segment(900)], STRIDE)
    assert renamed.computed == 4


@pytest.mark.parametrize("harm", ["cut", "empty", "one byte"])
def test_a_damaged_block_is_computed_again(tmp_path: Path, harm: str) -> None:
    cached(tmp_path)
    path = sorted(tmp_path.glob("*.npy"))[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes({"cut": bytes(data[:-900]), "empty": b"", "one byte": bytes(data)}[harm])
    cache, images = cached(tmp_path)
    assert cache.computed == 1
    assert np.array_equal(all_of(images), expected())


def test_a_full_cache_drops_what_was_unused_for_longest_and_computes_what_does_not_fit(
    tmp_path: Path,
) -> None:
    cached(tmp_path)
    old = set(tmp_path.glob("*.npy"))
    for path in old:
        os.utime(path, (1, 1))
    size = max(path.stat().st_size for path in old)
    limit = 4 * size
    _, images = cached(tmp_path, limit, seed=7)
    assert sum(path.stat().st_size for path in tmp_path.glob("*.npy")) <= limit
    assert not old & set(tmp_path.glob("*.npy"))
    assert np.array_equal(all_of(images), expected(7))
    assert np.array_equal(np.concatenate(list(images.by_block())), expected(7))


def test_progress_counts_windows(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    cache = ImageCache(tmp_path, transform())
    images = cache.images(
        [segment(900), segment(230)], STRIDE, lambda done, total: told.append((done, total))
    )
    assert told[-1] == (len(images), len(images)) == (40, 40)
    assert [done for done, _ in told] == [10, 20, 30, 33, 40]


_FILL = """
import sys
from pathlib import Path
from nightforge.anomaly import image_cache
from tests.anomaly.test_image_cache import cached
image_cache._BLOCK = 1
print("filling", flush=True)
cached(Path(sys.argv[1]))
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL on Windows")
def test_a_kill_while_the_cache_is_filled_costs_nothing_but_time(tmp_path: Path) -> None:
    filling = subprocess.Popen(
        [sys.executable, "-c", _FILL, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert filling.stdout is not None
    assert filling.stdout.readline() == "filling\n"
    limit = time.monotonic() + 60
    while len(list(tmp_path.glob("*.npy"))) < 5 and time.monotonic() < limit:
        time.sleep(0.001)
    filling.send_signal(signals.SIGKILL)
    assert filling.wait() == -signals.SIGKILL
    filling.stdout.close()
    (tmp_path / f".x.npy.{filling.pid}.1.tmp").write_bytes(b"half")
    image_cache._BLOCK = 1  # as in the killed process; the fixture puts it back
    cache, images = cached(tmp_path)
    assert cache.computed <= len(images) - 5
    assert np.array_equal(all_of(images), expected())
    assert not list(tmp_path.glob(".*.tmp"))
