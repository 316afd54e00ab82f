"""Files and processes that somebody else holds, which Windows makes felt and Linux does not."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

from nightforge.core.atomic import write_json
from nightforge.core.processes import identity_of
from nightforge.core.records import read_object


def test_a_reader_of_a_file_that_is_replaced_all_the_time_always_gets_a_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_json(path, {"number": 0}, durable=False)

    def replace() -> None:
        for number in range(200):
            write_json(path, {"number": number, "more": "x" * 5000}, durable=False)

    writer = threading.Thread(target=replace)
    writer.start()
    seen = 0
    while writer.is_alive():
        assert read_object(path) is not None
        seen += 1
        time.sleep(0.02)  # a reader that never lets go would rightly stop the writer
    writer.join()
    assert seen > 1
    assert (read_object(path) or {})["number"] == 199


def test_a_process_that_has_ended_is_gone_although_its_handle_is_still_held() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert identity_of(child.pid) is None
