"""Which GPU is this? Name, PCI bus, UUID and memory, since CUDA and nvidia-smi number cards differently."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

_MIB = 1024 * 1024


@dataclass(frozen=True)
class Gpu:
    """One visible CUDA device; memory in MiB."""

    index: int
    name: str
    bus_id: str
    uuid: str
    memory_total_mb: int
    memory_free_mb: int
    capability: tuple[int, int]

    def __str__(self) -> str:
        return (
            f"cuda:{self.index} = {self.name}, bus {self.bus_id}, {self.uuid}, "
            f"{self.memory_free_mb:,} of {self.memory_total_mb:,} MiB free, compute capability "
            f"{self.capability[0]}.{self.capability[1]}"
        )


def visible_gpus() -> list[Gpu]:
    """Return the devices CUDA shows this process, in CUDA's own order; empty without a GPU or driver."""
    if not torch.cuda.is_available():
        return []
    return [_describe(index) for index in range(torch.cuda.device_count())]


def _describe(index: int) -> Gpu:
    facts: Any = torch.cuda.get_device_properties(index)
    free, total = torch.cuda.mem_get_info(index)
    bus_id = f"{facts.pci_domain_id:04x}:{facts.pci_bus_id:02x}:{facts.pci_device_id:02x}.0"
    return Gpu(
        index=index,
        name=facts.name,
        bus_id=bus_id,
        uuid=f"GPU-{facts.uuid}",
        memory_total_mb=total // _MIB,
        memory_free_mb=free // _MIB,
        capability=(facts.major, facts.minor),
    )


def describe_device() -> str:
    """Say in one line what this process will compute on."""
    found = visible_gpus()
    return str(found[0]) if found else f"CPU, {torch.get_num_threads()} threads"
