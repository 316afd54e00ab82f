"""What the machine is doing: processor, memory, disk, and every GPU by name and bus id."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

_MB = 2**20
_FIRST_S = 0.2


class HardwareSampler(threading.Thread):
    """Samples in a thread of its own, since a sick GPU driver can hang for minutes. `latest` is the newest
    sample.
    """

    def __init__(self, root: Path, interval_s: float = 5.0) -> None:
        super().__init__(name="hardware", daemon=True)
        self._root = root
        self._interval_s = interval_s
        self._ended = threading.Event()
        self._sampled = threading.Event()
        self.latest: dict[str, Any] | None = None

    def run(self) -> None:
        if self._ended.wait(_FIRST_S):  # a run with nothing to do ends before all this is loaded
            return
        import psutil

        gpus = open_gpus()
        psutil.cpu_percent()  # the first call only starts the measurement
        while not self._ended.wait(_FIRST_S if self.latest is None else self._interval_s):
            self.latest = {**sample_host(self._root), "gpus": gpus.sample()}
            self._sampled.set()

    def gpu_name(self, wait_s: float = 3.0) -> str:
        """Return the name of the first card, `cpu` without one; waits for the first sample, but not for a
        sick driver.
        """
        self._sampled.wait(wait_s)
        gpus = (self.latest or {}).get("gpus") or []
        return str(gpus[0]["name"] or "gpu") if gpus else "cpu"

    def end(self) -> None:
        """Stop sampling; does not wait."""
        self._ended.set()


def sample_host(root: Path) -> dict[str, Any]:
    """Return processor load in percent, memory and free disk in MB."""
    import psutil

    memory = psutil.virtual_memory()
    try:
        disk_free_mb: int | None = shutil.disk_usage(root).free // _MB
    except OSError:
        disk_free_mb = None
    return {
        "cpu_percent": psutil.cpu_percent(),
        "memory_used_mb": (memory.total - memory.available) // _MB,
        "memory_total_mb": memory.total // _MB,
        "disk_free_mb": disk_free_mb,
    }


class Gpus:
    """NVIDIA GPUs through NVML; none on a machine without driver or package."""

    def __init__(self, nvml: Any = None) -> None:
        self._nvml = nvml

    def sample(self) -> list[dict[str, Any]]:
        """Return one record per GPU; a value the card does not tell is None."""
        if self._nvml is None:
            return []
        try:
            count = self._nvml.nvmlDeviceGetCount()
            return [self._one(index) for index in range(count)]
        except self._nvml.NVMLError:
            return []

    def _one(self, index: int) -> dict[str, Any]:
        nvml = self._nvml
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        memory = self._ask(nvml.nvmlDeviceGetMemoryInfo, handle)
        load = self._ask(nvml.nvmlDeviceGetUtilizationRates, handle)
        power_mw = self._ask(nvml.nvmlDeviceGetPowerUsage, handle)
        bus = self._ask(nvml.nvmlDeviceGetPciInfo, handle)
        return {
            "index": index,
            "name": _text(self._ask(nvml.nvmlDeviceGetName, handle)),
            "bus_id": _text(bus.busId) if bus else None,
            "memory_used_mb": memory.used // _MB if memory else None,
            "memory_total_mb": memory.total // _MB if memory else None,
            "utilization_percent": load.gpu if load else None,
            "power_w": round(power_mw / 1000, 1) if power_mw is not None else None,
            "temperature_c": self._ask(nvml.nvmlDeviceGetTemperature, handle, nvml.NVML_TEMPERATURE_GPU),
        }

    def _ask(self, question: Any, *arguments: Any) -> Any:
        try:
            return question(*arguments)
        except self._nvml.NVMLError:  # many cards do not tell power or temperature
            return None


def open_gpus() -> Gpus:
    """Connect to the NVIDIA driver if there is one."""
    try:
        import pynvml
    except ImportError:
        return Gpus()
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return Gpus()
    return Gpus(pynvml)


def _text(value: Any) -> str | None:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
