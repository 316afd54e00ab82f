"""`--pipeline anomaly`: which stages, which streams, whose data, and what a start refuses."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nightforge.anomaly.nodes import NODES, VIEWS
from nightforge.config import load_config
from nightforge.core.errors import ConfigError, InputError
from nightforge.core.paths import Project
from nightforge.core.versions import write_manifest
from nightforge.pipeline import launch
from nightforge.pipeline.budget import predict
from nightforge.pipeline.contents import Contents
from nightforge.pipeline.options import parse_options
from nightforge.pipeline.plan import build_plan
from nightforge.pipeline.preflight import gather
from nightforge.pipeline.registry import ANOMALY, ANOMALY_MODES, ANOMALY_PHASES
from nightforge.pipeline.streams import resolve_streams, runtime_lines

FULL = "21 22 23 24 25 16-post 26 27".split()
ONE = ("swinmae.enabled=false",)


def keys(project: Project, mode: str = "full", overrides: tuple[str, ...] = ()) -> list[str]:
    config = load_config(project, None, overrides)
    return [stage.key for stage in build_plan(mode, pipeline="anomaly", config=config).stages]


def table(project: Project, name: str) -> Path:
    path = project.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("time,a\n0,1\n")
    return path


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("full", FULL),
        ("data-only", ["21"]),
        ("train-only", ["22", "23", "24", "16-post"]),
        ("eval-only", ["25", "26", "27"]),
    ],
)
def test_each_mode_runs_its_stages(project: Project, mode: str, expected: list[str]) -> None:
    assert keys(project, mode) == expected


def test_every_stage_has_a_phase_a_mode_and_its_script() -> None:
    scripts = Path(__file__).resolve().parents[2]
    for stage in ANOMALY:
        assert stage.key[:2] == stage.number
        assert stage.phase in ANOMALY_PHASES
        assert (scripts / stage.script).is_file(), stage.script
    assert set().union(*(ANOMALY_MODES[mode] for mode in ANOMALY_MODES)) == set(ANOMALY_PHASES)


def test_a_stream_that_is_not_enabled_leaves_no_trace_in_the_plan(project: Project) -> None:
    config = load_config(project, None, ONE)
    stages = build_plan("full", pipeline="anomaly", config=config).stages
    assert [stage.key for stage in stages] == [key for key in FULL if key != "23"]
    names = [name for stage in stages for name in (*stage.reads, *stage.writes, *stage.work, *stage.nodes)]
    assert [name for name in names if "swin" in name or "vib" in name] == []
    assert any("patchtst" in name for name in names)


def test_both_streams_off_is_refused(project: Project) -> None:
    with pytest.raises(ConfigError, match="both false"):
        keys(project, overrides=(*ONE, "patchtst.enabled=false"))


def test_the_stages_light_exactly_the_boxes_of_the_graph() -> None:
    lit = [name for stage in ANOMALY for name in stage.nodes]
    assert len(lit) == len(set(lit))
    assert {*lit, "orchestrator"} == set(NODES)
    for view in VIEWS.values():
        assert {end for edge in view.edges for end in edge} <= set(view.nodes)


@pytest.mark.parametrize(
    ("argv", "settings"),
    [
        (
            ["--patch-data-path", "a b/*.csv"],
            ("patchtst.data.source=auto", 'patchtst.data.path="a b/*.csv"'),
        ),
        (["--swin-data-source", "npy"], ("swinmae.data.source=npy",)),
        (
            ["--swin-data-source", "csv", "--swin-data-path", "x.csv", "y.csv"],
            ("swinmae.data.source=csv", 'swinmae.data.path=["x.csv", "y.csv"]'),
        ),
    ],
)
def test_data_options_become_settings(project: Project, argv: list[str], settings: tuple[str, ...]) -> None:
    options = parse_options(["--pipeline", "anomaly", "--set", "anomaly.lags=5", *argv])
    assert options.overrides == ("anomaly.lags=5", *settings)
    assert load_config(project, None, options.overrides).anomaly.lags == 5


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--patch-data-path", "x.csv"], "belong to --pipeline anomaly"),
        (["--pipeline", "blueprint", "--swin-data-source", "npy"], "belong to --pipeline anomaly"),
        (["--pipeline", "anomaly", "--patch-data-source", "npy"], "invalid choice"),
        (["--pipeline", "anomaly", "--swin-data-source", "parquet"], "invalid choice"),
        (["--pipeline", "anomaly", "--patch-data-path"], "expected at least one"),
        (["--resume", "--patch-data-path", "x.csv"], "leave the others out"),
    ],
)
def test_wrong_data_options_end_with_exit_code_2(
    argv: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_options(argv)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_a_stage_of_one_pipeline_alone_names_it_in_why() -> None:
    assert parse_options(["--why", "22"]).pipeline == "anomaly"
    assert parse_options(["--why", "04"]).pipeline == "blueprint"
    assert parse_options(["--why", "16-post"]).pipeline == "blueprint"
    assert parse_options(["--why", "16-post", "--pipeline", "anomaly"]).pipeline == "anomaly"


def test_auto_takes_the_users_files_and_else_the_generator(project: Project) -> None:
    assert {found.source for found in resolve_streams(project, load_config(project)).values()} == {
        "synthetic"
    }
    own = table(project, "data/local/train/fdc/line 1/a.csv").rename(
        project.root / "data/local/train/fdc/a.csv"
    )
    (project.root / "data/local/train/fdc/notes.txt").write_text("no data")
    found = resolve_streams(project, load_config(project))
    assert (found["patchtst"].source, found["patchtst"].files) == ("csv", (own,))
    assert found["swinmae"].source == "synthetic"


def test_a_path_that_finds_nothing_is_refused_before_anything_starts(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    options = parse_options(["--pipeline", "anomaly", "--patch-data-path", "nowhere/*.csv", "--foreground"])
    config = load_config(project, None, options.overrides)
    with pytest.raises(InputError, match=r"patchtst.data.path nowhere/\*.csv finds no"):
        resolve_streams(project, config)
    shutil.copytree(Path(__file__).resolve().parents[2] / "scripts", project.root / "scripts")
    assert launch.main(options, [], project) == 2
    assert "patchtst.data.source=synthetic" in capsys.readouterr().err
    assert not list(project.runs.glob("*"))


def test_the_dry_run_shows_order_sources_and_settings(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    table(project, "own/a.csv")
    argv = "--dry-run --pipeline anomaly --patch-data-path own --set swinmae.training.lr=0.5".split()
    before = sorted(project.root.rglob("*"))
    assert launch.main(parse_options(argv), argv, project) == 0
    text = capsys.readouterr().out
    assert [text.index(stage.title) for stage in ANOMALY] == sorted(text.index(s.title) for s in ANOMALY)
    for words in (
        "csv: 1 file, own/a.csv",
        "the test part of the training files",
        "the seeded generator",
        "lr 0.5",
    ):
        assert words in text
    assert sorted(project.root.rglob("*")) == before


def test_a_left_out_stream_is_said_to_be(project: Project) -> None:
    lines = list(runtime_lines(project, load_config(project, None, ONE)))
    assert "swinmae   left out (swinmae.enabled is false)" in lines
    assert not any("swinmae.training" in line for line in lines)


def test_a_new_file_of_the_users_and_nothing_else_asks_for_stage_21(project: Project) -> None:
    spec = build_plan("full", pipeline="anomaly", config=load_config(project)).stages[0]
    shutil.copytree(Path(__file__).resolve().parents[2] / "scripts", project.root / "scripts")
    for name in spec.writes:
        path = project.root / name
        (path / "000.npz" if name.endswith("/") else path).parent.mkdir(parents=True, exist_ok=True)
        (path / "000.npz" if name.endswith("/") else path).write_text("{}")
    table(project, "data/local/train/fdc/a.csv")
    contents = Contents(project, load_config(project), "anomaly", project.run_dir("r1"))
    contents.begin(spec, 1)
    contents.finish(spec, 1, {}, {"patchtst", "swinmae"})
    assert contents.look(spec).kept
    other = load_config(project, None, ("training.epochs=9",))
    assert Contents(project, other, "anomaly").look(spec).kept
    table(project, "data/local/train/fdc/b.csv")
    assert contents.look(spec).why == "input data/local/train/fdc/b.csv is new"


def test_the_newest_version_of_each_family_counts_alone(project: Project) -> None:
    for name in ("patchtst-v2", "patchtst-v10", "swin-mim-v3", "anomaly-patchtst-v1"):
        folder = project.models / name
        folder.mkdir(parents=True)
        (folder / "weights").write_text(name)
        write_manifest(folder, {})
    spec = next(stage for stage in ANOMALY if stage.key == "24")
    named = Contents(project, load_config(project), "anomaly")._named((*spec.reads, *spec.writes))
    assert "models/patchtst-v10/" in named
    assert "models/swin-mim-v3/" in named
    assert "models/anomaly-patchtst-v1/" in named
    assert "models/anomaly-swinmae-v0/" in named


def test_room_and_memory_of_the_language_model_are_not_asked_for(project: Project) -> None:
    config = load_config(project, "70b")
    facts = gather(project, config)
    small = predict(config, build_plan("full", pipeline="anomaly", config=config), facts)
    assert {need.place for need in small} == {"project", "temporary folder", "backups"}
    assert sum(need.bytes for need in small) < 3 * 2**30  # a gigabyte of it the reserve of the profile
    large = predict(config, build_plan("full"), facts)
    assert any(need.place == "model cache" for need in large)
