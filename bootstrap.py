"""Make the environment once: .venv, the pinned packages, and back to the command that was typed.

Standard library only, and readable by any Python 3.8+, so that an old interpreter gets a sentence instead
of a syntax error. An active environment that already has every package is used as it is.
"""

import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "nightforge.json"
# Distribution names whose import name differs.
IMPORT_NAMES = {
    "nvidia-ml-py": "pynvml",
    "pytest": "pytest",
    "pytest-xdist": "xdist",
    "scikit-learn": "sklearn",
    "PyWavelets": "pywt",
}


def ensure(script, extra=None):
    """Return when this interpreter has every package; otherwise make .venv and run `script` in it.

    `extra` names an optional group of pyproject.toml, such as "dev". Ends the process with exit code 2 for a
    Python that is too old and 1 when an installation fails.
    """
    if sys.version_info < OLDEST:
        _end(
            2,
            "Nightforge needs Python 3.11 or later; this is %s. Start it with a newer python."
            % platform.python_version(),
        )
    if os.environ.get(
        "NIGHTFORGE_RUN_ID"
    ):  # a stage of a run: its interpreter was checked when the run started
        return
    wanted = requirements(extra)
    inside = Path(sys.prefix).resolve() == VENV.resolve()
    if not inside and sys.prefix != sys.base_prefix and not _missing(wanted):
        return
    if not _stamped(extra):
        _install(wanted, extra)
    if not inside:
        _run_inside(script)


def requirements(extra=None):
    """List the distribution names of pyproject.toml, the optional group `extra` included."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    import tomllib  # 3.11 and later, checked by ensure()

    project = tomllib.loads(text)["project"]
    return list(project["dependencies"]) + list(
        project["optional-dependencies"].get(extra, []) if extra else []
    )


def has_nvidia_gpu():
    """Say whether this computer has an NVIDIA driver, without importing anything."""
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


def _missing(names):
    modules = (IMPORT_NAMES.get(name, name.replace("-", "_")) for name in names)
    return [module for module in modules if importlib.util.find_spec(module) is None]


def _fingerprint():
    pins = b"".join((ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt"))
    return hashlib.sha256(pins + platform.python_version().encode()).hexdigest()[:16]


def _stamped(extra):
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False  # no stamp, or a cut one: the installation did not finish
    return stamp.get("fingerprint") == _fingerprint() and (extra is None or extra in stamp.get("extras", []))


def _python():
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _install(wanted, extra):
    say("Setting up Nightforge in %s (once; later starts take a moment)" % VENV.name)
    with _exclusive():
        if _stamped(extra):  # somebody else finished while we waited
            return
        if not _python().exists():
            say("[1/4] making the environment")
            _call([sys.executable, "-m", "venv", str(VENV)], "python -m venv")
        say("[2/4] installing PyTorch (%s)" % ("CUDA build" if has_nvidia_gpu() else "CPU build"))
        _install_torch()
        say("[3/4] installing %d packages" % len(wanted))
        rest = [name for name in wanted if name != "torch"]
        _call(_pip() + ["-c", str(ROOT / "constraints.txt")] + rest, "pip install")
        say("[4/4] checking")
        _call([str(_python()), "-c", "import torch, transformers, msgspec, psutil"], "the import check")
        extras = sorted({extra} if extra else set())
        STAMP.write_text(json.dumps({"fingerprint": _fingerprint(), "extras": extras}), encoding="utf-8")
    say("Ready.")


def _pip():
    return [str(_python()), "-m", "pip", "install", "--disable-pip-version-check"]


def _install_torch():
    pin = re.search(r"(?m)^torch==(\S+)", (ROOT / "constraints.txt").read_text(encoding="utf-8"))
    version = "torch==%s" % pin.group(1)
    if has_nvidia_gpu() or sys.platform != "linux":  # elsewhere the plain wheel is the CPU build already
        _call(_pip() + [version], "pip install torch")
        return
    # On Linux the plain wheel brings gigabytes of CUDA. A configured index may carry the CPU build; else uv
    # knows where PyTorch keeps it.
    found = subprocess.run(_pip() + ["--no-deps", "--dry-run", "-q", version + "+cpu"], capture_output=True)
    if found.returncode == 0:
        _call(_pip() + [version + "+cpu"], "pip install torch")
        return
    _call(_pip() + ["-q", "uv"], "pip install uv")
    uv = [str(_python()), "-m", "uv", "pip", "install", "--python", str(_python())]
    _call(uv + ["--torch-backend=cpu", version], "the installation of PyTorch's CPU build")


def _call(command, name):
    code = subprocess.call(command)
    if code != 0:
        _end(
            1,
            "%s failed (exit code %d, see above). Correct it and run the same command again; "
            "what was installed is kept." % (name, code),
        )


class _exclusive:
    """Hold an operating-system lock, so that two first starts do not install into one folder."""

    def __enter__(self):
        self.file = open(str(ROOT / ".venv.lock"), "a+b")
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(self.file.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *error):
        self.file.close()


def _run_inside(script):
    command = [str(_python()), str(Path(script).resolve())] + sys.argv[1:]
    sys.stdout.flush()
    if os.name == "nt":  # exec on Windows returns to the shell at once
        sys.exit(subprocess.call(command))
    os.execv(command[0], command)


def say(text):
    print(text, file=sys.stderr, flush=True)


def _end(code, text):
    say("error: " + text)
    sys.exit(code)
