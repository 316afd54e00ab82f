"""The machine is described by what it tells; a card that keeps a value to itself shows None."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nightforge.pipeline import hardware
from nightforge.pipeline.hardware import Gpus, HardwareSampler, sample_host


class FakeNvml:
    """Two cards; the second tells neither power nor load."""

    NVML_TEMPERATURE_GPU = 0

    class NVMLError(Exception):
        pass

    def nvmlDeviceGetCount(self) -> int:
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetName(self, handle: int) -> Any:
        return ["NVIDIA H200", b"NVIDIA T400"][handle]

    def nvmlDeviceGetPciInfo(self, handle: int) -> Any:
        return SimpleNamespace(busId=b"00000000:0%d:00.0" % (handle + 1))

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:
        return SimpleNamespace(used=2**30, total=2**31)

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:
        if handle == 1:
            raise self.NVMLError("not supported")
        return SimpleNamespace(gpu=97)

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:
        if handle == 1:
            raise self.NVMLError("not supported")
        return 412_345

    def nvmlDeviceGetTemperature(self, handle: int, kind: int) -> int:
        return 61


def test_each_card_is_named_with_its_bus_and_its_memory() -> None:
    first, second = Gpus(FakeNvml()).sample()
    assert first == {
        "index": 0,
        "name": "NVIDIA H200",
        "bus_id": "00000000:01:00.0",
        "memory_used_mb": 1024,
        "memory_total_mb": 2048,
        "utilization_percent": 97,
        "power_w": 412.3,
        "temperature_c": 61,
    }
    assert (second["name"], second["bus_id"]) == ("NVIDIA T400", "00000000:02:00.0")
    assert (second["utilization_percent"], second["power_w"]) == (None, None)


def test_without_a_driver_there_are_no_cards_and_no_error() -> None:
    assert Gpus().sample() == []


def test_a_driver_that_fails_later_shows_no_cards(monkeypatch: Any) -> None:
    def lost(self: FakeNvml) -> int:
        raise FakeNvml.NVMLError("GPU is lost")

    monkeypatch.setattr(FakeNvml, "nvmlDeviceGetCount", lost)
    assert Gpus(FakeNvml()).sample() == []


def test_the_host_tells_load_memory_and_disk(tmp_path: Path) -> None:
    sample = sample_host(tmp_path)
    assert 0 < sample["memory_used_mb"] < sample["memory_total_mb"]
    assert sample["disk_free_mb"] > 0
    assert sample_host(tmp_path / "gone")["disk_free_mb"] is None


def test_the_sampler_has_a_sample_soon_and_ends_when_told(tmp_path: Path) -> None:
    sampler = HardwareSampler(tmp_path, interval_s=0.05)
    sampler.start()
    sampler._ended.wait(1.0)
    assert sampler.latest is not None and "gpus" in sampler.latest
    sampler.end()
    sampler.join(5)
    assert not sampler.is_alive()


def test_the_card_is_named_as_soon_as_the_first_sample_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for nvml, name in ((None, "cpu"), (FakeNvml(), "NVIDIA H200")):
        monkeypatch.setattr(hardware, "open_gpus", lambda nvml=nvml: Gpus(nvml))
        sampler = HardwareSampler(tmp_path)
        assert sampler.gpu_name(wait_s=0.0) == "cpu"  # a driver that does not answer
        sampler.start()
        assert sampler.gpu_name() == name
        sampler.end()
