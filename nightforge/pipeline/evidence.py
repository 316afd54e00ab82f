"""What a silent stage leaves for the morning: its stacks compared, and a snapshot of processes and GPU.
# ops H6

Standard library only on Linux: the guard runs this.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

_NVIDIA_SMI_S = 4.0  # a sick driver can hang for minutes


class Stacks:
    """The file a stage writes its stacks to, and the stacks of the main thread taken in this silence."""

    def __init__(self) -> None:
        self._file: Path | None = None
        self._size = 0
        self._taken: list[str] = []
        self.equal: bool | None = None  # whether the last two of one silence were the same; None: no two

    @property
    def listens(self) -> bool:
        """Tell whether the stage dumps its stacks when asked."""
        return self._file is not None

    def listen(self, file: str) -> None:
        """The stage has said that it listens, and where it writes."""
        self._file = Path(file)

    def ask(self) -> None:
        """Remember what the file holds before a dump. On Windows the stage dumps by the clock, so that what
        has come since the last look counts.
        """
        if sys.platform != "win32":
            self._size = self._length()

    def arrived(self) -> bool:
        """Tell whether the stage has begun to write."""
        return self._length() > self._size

    def read(self) -> None:
        """Take the newest dump in."""
        if self._file is None or not self.arrived():
            return
        try:
            with self._file.open("rb") as file:
                file.seek(self._size)
                data = file.read()
        except OSError:
            return  # the file is for people as well; not to compare it costs nothing else
        self._size += len(data)
        self._taken.append(main_stack(data.decode(errors="replace")))
        if len(self._taken) > 1:
            self.equal = self._taken[-1] == self._taken[-2]

    @property
    def again(self) -> bool:
        """Tell whether this silence has been looked at before."""
        return len(self._taken) > 1

    def forget(self) -> None:
        """It has moved: what follows is another silence."""
        self._taken, self.equal = [], None
        self._size = self._length()

    def _length(self) -> int:
        try:
            return self._file.stat().st_size if self._file else 0
        except OSError:
            return 0


def main_stack(text: str) -> str:
    """Return the stack of the main thread from a dump of faulthandler, which names it last. What other
    threads do is no sign of progress, nor is which of them took the signal, as the headline says.
    """
    return text[max(text.rfind("hread 0x"), 0) :].partition("\n")[2]


def take_snapshot(path: Path, title: str, pids: Sequence[int]) -> None:
    """Append the processes and the state of the GPU to `path`; a full disk costs the snapshot, no more."""
    try:
        with path.open("ab", buffering=0) as file:
            file.write(f"==== {title}\n{_table(pids)}\n".encode())
            tool = shutil.which("nvidia-smi")
            if tool is None:
                file.write(b"no nvidia-smi here\n")
                return
            process = subprocess.Popen(
                [tool], stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
            )
            deadline = time.monotonic() + _NVIDIA_SMI_S
            while process.poll() is None:
                if time.monotonic() >= deadline:
                    process.kill()  # not waited for: stuck in its driver it would not even die
                    file.write(f"nvidia-smi gave no answer within {_NVIDIA_SMI_S:.0f} s\n".encode())
                    return
                time.sleep(0.02)
    except OSError as error:
        sys.stderr.write(f"{path}: {error}\n")


def _table(pids: Sequence[int]) -> str:
    read = _linux_row if sys.platform == "linux" else _portable_row
    rows = [row for pid in pids if (row := read(pid)) is not None]
    return "\n".join(["     pid    parent state threads     cpu s  memory MB  waits in, command", *rows])


def _linux_row(pid: int) -> str | None:
    folder = Path("/proc") / str(pid)
    try:
        # The name in brackets may hold blanks and brackets; what follows its last one is plain. # proc(5)
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        pages = int((folder / "statm").read_text().split()[1])
        command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (OSError, IndexError):
        return None  # ended meanwhile
    seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    megabytes = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return (
        f"{pid:8d}  {int(fields[1]):8d} {fields[0]:>5} {int(fields[17]):7d} {seconds:9.2f} {megabytes:10.1f}"
        f"  {_waits_in(folder)}, {command[:200]}"
    )


def _waits_in(folder: Path) -> str:
    try:
        name = (folder / "wchan").read_text().strip()
    except OSError:
        return "?"
    return "-" if name in ("", "0") else name


def _portable_row(pid: int) -> str | None:
    import psutil

    try:
        process = psutil.Process(pid)
        with process.oneshot():
            times = process.cpu_times()
            return (
                f"{pid:8d}  {process.ppid():8d} {process.status():>5} {process.num_threads():7d} "
                f"{times.user + times.system:9.2f} {process.memory_info().rss / 2**20:10.1f}"
                f"  ?, {' '.join(process.cmdline())[:200]}"
            )
    except psutil.Error:
        return None
