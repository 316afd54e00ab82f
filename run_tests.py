"""The test command: makes the environment if needed, then runs pytest.

By hand  python run_tests.py            the default tests, under 3 minutes on two cores
         python run_tests.py --all      the slow ones as well, as CI does
         python run_tests.py tests/web  anything pytest takes

Up to four processes share the tests, since most of them wait for processes of their own; `-n 0` keeps them in
one, for a debugger.
"""

import os
import subprocess
import sys
from pathlib import Path

import bootstrap


def main() -> int:
    """Run pytest in the project's environment and return its exit code."""
    bootstrap.ensure(__file__, extra="dev")
    arguments = sys.argv[1:]
    if "--all" in arguments:
        arguments = [argument for argument in arguments if argument != "--all"] + ["-m", "not gpu"]
    if not any(argument.startswith(("-n", "--pdb")) for argument in arguments):
        arguments = ["-n", str(min(4, os.cpu_count() or 1)), "--dist", "worksteal", *arguments]
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.call(command, cwd=Path(__file__).resolve().parent)


if __name__ == "__main__":
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__)
        sys.exit(0)
    sys.exit(main())
