"""One prompt: 08 writes it, 04 trains under it and stores it, 07, 09 and 12 ask with what is stored."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import msgspec
import pytest

from nightforge.blueprint.answers import open_author
from nightforge.blueprint.catalog import load_catalog
from nightforge.blueprint.lessons import lesson_rows, load_lessons
from nightforge.blueprint.prompt import configured_prompt, system_prompt
from nightforge.blueprint.training import train_adapter
from nightforge.config import Config, load_config
from nightforge.config.schema import Lora, Model, Training
from nightforge.core import versions
from nightforge.core.atomic import sha256_text, write_jsonl
from nightforge.core.errors import InputError
from nightforge.core.paths import Project
from nightforge.ml.chat import encode_prompt
from nightforge.ml.token_count import open_counter
from tests.ml.conftest import SilentReport, make_model_folder

Run = Callable[..., "CompletedProcess[str]"]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model_folder(tmp_path_factory.mktemp("random-model"))


def small(folder: Path, **model: object) -> Config:
    source = Model(source="folder", base_model=str(folder), max_seq_length=4096, **model)  # type: ignore[arg-type]
    training = Training(max_steps=1, batch_size=1, gradient_accumulation_steps=1)
    return Config(model=source, lora=Lora(lora_r=4), training=training)


def test_the_tiny_profile_keeps_its_prompt(project: Project) -> None:
    text = configured_prompt(load_config(project, profile="tiny").model)
    assert sha256_text(text)[:16] == "5af8e67150351482"


@pytest.mark.slow
def test_what_is_trained_under_is_what_is_asked_with(project: Project, model_folder: Path) -> None:
    config = small(model_folder, prompt_reference="core")
    rows = [row.placed("train").to_dict() for row in lesson_rows(load_lessons(project.lessons))[:3]]
    write_jsonl(project.blueprint_data / "train.jsonl", rows[:2])
    write_jsonl(project.blueprint_data / "val.jsonl", rows[2:])
    train_adapter(config, project, SilentReport(), lambda: False)  # type: ignore[arg-type]
    adapter = versions.adapter_dir(project.models, 1)
    stored = (adapter / "system_prompt.txt").read_text(encoding="utf-8")
    assert stored == configured_prompt(config.model) == system_prompt("minimal", "core")
    changed = msgspec.structs.replace(
        config, model=msgspec.structs.replace(config.model, prompt_reference=None)
    )
    author = open_author(changed, project, adapter)
    assert author.system == stored  # whatever the configuration says by now
    assert open_author(changed, project, None, base=True).system == system_prompt("minimal")
    ids = encode_prompt(author.loaded.tokenizer, "Say hello at the start.", author.system)
    assert stored.strip() in author.loaded.tokenizer.decode(ids)


def test_stage_08_writes_the_prompt_that_training_makes(project: Project, run_script: Run) -> None:
    result = run_script("08_generate_system_prompt.py", "--set", "model.prompt_reference=core")
    assert result.returncode == 0, result.stderr
    config = load_config(project)
    model = msgspec.structs.replace(config.model, prompt_reference="core")
    assert (project.blueprint_data / "system_prompt.txt").read_text("utf-8") == configured_prompt(model)
    result = run_script("08_generate_system_prompt.py", "--preview", "--reference", "all")
    assert result.stdout == system_prompt("minimal", "all")
    assert "Training uses another prompt, unless --set model.prompt_reference=all" in result.stderr


def test_only_training_and_asking_turn_prompts_into_tokens() -> None:
    users = set()
    for path in (ROOT / "nightforge" / "blueprint").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {a.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for a in n.names}
        if names & {"encode_prompt", "encode_example", "system_prompt", "configured_prompt"}:
            users.add(path.name)
    assert users == {"answers.py", "training.py"}


@pytest.mark.parametrize("style", ["minimal", "compact", "full"])
def test_the_table_lists_exactly_the_node_types_of_its_level(style: str) -> None:
    catalog = load_catalog()
    listed = {
        level: _names(system_prompt(style, level))  # type: ignore[arg-type]
        for level in ("none", "core", "all")
    }
    rules = listed["none"]  # an example and rules may name a few
    assert listed["all"] == set(catalog.nodes)
    assert listed["core"] == set(catalog.core()) | rules
    assert len(rules) <= 8 and (style != "minimal" or not rules)


def _names(prompt: str) -> set[str]:
    words = set(prompt.translate(str.maketrans("()>,:[]=-", " " * 9)).split())
    return words & set(load_catalog().nodes)


def test_an_unknown_style_is_refused() -> None:
    with pytest.raises(ValueError, match="minimal, compact or full"):
        system_prompt("long")  # type: ignore[arg-type]


def test_tokens_are_counted_as_the_model_would_and_without_torch(
    project: Project, model_folder: Path
) -> None:
    from transformers import AutoTokenizer

    config = small(model_folder)
    texts = [system_prompt("compact"), "NODE n1: Event_BeginPlay\n", ""]
    tokenizer = AutoTokenizer.from_pretrained(str(model_folder))
    wanted = [len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts]
    assert open_counter(config, project).count(texts) == wanted
    code = (
        "import sys\nfrom pathlib import Path\nfrom nightforge.config import Config\n"
        "from nightforge.config.schema import Model\nfrom nightforge.core.paths import Project\n"
        "from nightforge.ml.token_count import open_counter\n"
        f"model = Model(source='folder', base_model={str(model_folder)!r})\n"
        "print(open_counter(Config(model=model), Project(Path('.'))).count(['a b c'])[0] > 0)\n"
        "print('torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]


def test_a_tokenizer_that_is_not_here_is_named_with_the_command_that_brings_it(
    project: Project, run_script: Run, tmp_path: Path
) -> None:
    result = run_script("08_generate_system_prompt.py", "--count-tokens")
    assert result.returncode == 2 and "has not been built yet" in result.stderr
    assert "00_build_tiny_base.py" in result.stderr
    hub = Config(model=Model(source="hub", base_model="nobody/no-such-model"))
    with pytest.raises(
        InputError, match="tokenizer of nobody/no-such-model is not on this computer"
    ) as caught:
        open_counter(hub, project)
    assert caught.value.next_command == "hf download nobody/no-such-model tokenizer.json"
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="tokenizer.json is missing"):
        open_counter(small(tmp_path), project)
