"""The form of the anomaly page has every setting of the schema and says all that is wrong, by field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nightforge.config.form import SECTIONS, check_values, flat, form_fields, form_groups
from nightforge.config.load import load_config
from nightforge.config.schema import Config
from nightforge.core.paths import Project

FIELDS = {setting.key: setting for setting in form_fields()}


def leaves(kind: Any, path: str) -> list[str]:
    """Name every setting below a section, from the types themselves."""
    found = []
    for part in msgspec.structs.fields(kind):
        key = f"{path}.{part.name}"
        is_struct = isinstance(part.type, type) and issubclass(part.type, msgspec.Struct)
        found += leaves(part.type, key) if is_struct else [key]
    return found


def test_every_setting_of_the_three_sections_appears_once() -> None:
    sections = {part.name: part.type for part in msgspec.structs.fields(Config)}
    wanted = [key for name in SECTIONS for key in leaves(sections[name], name)]
    assert [setting.key for setting in form_fields()] == wanted
    assert sorted(key for group in form_groups() for key in group.fields) == sorted(wanted)


@pytest.mark.parametrize("key", FIELDS)
def test_a_setting_has_words_a_type_and_a_default_that_passes(key: str) -> None:
    setting = FIELDS[key]
    assert setting.meaning
    assert setting.type in ("number", "integer", "text", "boolean", "choice", "list", "map")
    assert (setting.items is not None) == (setting.type in ("list", "map"))
    assert check_values(Config(), {key: setting.default}).ok


def test_the_defaults_are_those_of_the_program_and_the_values_those_of_the_project() -> None:
    values = flat(load_config(Project.find()))
    assert list(values) == list(FIELDS)
    assert FIELDS["swinmae.training.batch_size"].default == Config().swinmae.training.batch_size


def test_bounds_choices_units_and_kinds_are_those_of_the_schema() -> None:
    rate = FIELDS["patchtst.training.lr"]
    assert (rate.type, rate.minimum, rate.exclusive_minimum, rate.maximum) == ("number", 0, True, None)
    share = FIELDS["patchtst.model.dropout"]
    assert (share.minimum, share.exclusive_minimum, share.maximum) == (0, False, 1)
    assert FIELDS["patchtst.data.normalization"].choices == ["robust", "zscore"]
    assert (FIELDS["swinmae.data.fs"].unit, FIELDS["swinmae.data.actual_fs"].nullable) == ("Hz", True)
    assert (FIELDS["swinmae.model.depths"].type, FIELDS["swinmae.model.depths"].items) == ("list", "integer")
    assert (FIELDS["patchtst.data.path"].type, FIELDS["patchtst.data.path"].items) == ("list", "text")
    assert FIELDS["swinmae.data.actual_fs_by_file"].type == "map"


def test_only_what_differs_from_the_base_is_an_override() -> None:
    checked = check_values(
        Config(),
        {"patchtst.training.lr": "2e-3", "patchtst.seed": "42", "anomaly.lags": Config().anomaly.lags},
    )
    assert checked.ok and checked.overrides == {"patchtst.training.lr": 0.002}
    assert checked.diff == [{"key": "patchtst.training.lr", "base": 0.001, "value": 0.002}]


# value, field, words of the error
WRONG = [
    ("patchtst.training.epochs", 0, ">= 1"),
    ("patchtst.training.epochs", "many", "a whole number"),
    ("patchtst.training.lr", -1, "> 0"),
    ("patchtst.training.lr", None, "a number"),
    ("patchtst.training.lr", float("nan"), "JSON"),
    ("patchtst.training.lr", "inf", "JSON"),
    ("patchtst.model.dropout", 1.5, "<= 1"),
    ("patchtst.data.normalization", "minmax", "minmax"),
    ("patchtst.enabled", "yes", "true or false"),
    ("swinmae.model.depths", [2, "x"], "a whole number"),
    ("swinmae.data.actual_fs_by_file", {"a": "x"}, "a number"),
    ("patchtst.training", {"lr": 1}, "no setting"),
    ("training.epochs", 2, "no setting"),
    ("patchtst.training.epohs", 2, "did you mean patchtst.training.epochs"),
]


@pytest.mark.parametrize(("key", "value", "words"), WRONG, ids=range(len(WRONG)))
def test_a_wrong_value_is_named_with_its_field(key: str, value: Any, words: str) -> None:
    checked = check_values(Config(), {key: value})
    ((keys, message),) = ((error["keys"], error["message"]) for error in checked.errors)
    assert keys == [key] and key in message and words in message
    assert checked.overrides == {}


def test_all_errors_come_at_once_and_contradictions_name_every_field() -> None:
    checked = check_values(
        Config(),
        {"patchtst.model.nhead": 5, "swinmae.data.train_ratio": 0.95, "anomaly.lags": 0, "anomaly.clip": 5},
    )
    named = [error["keys"] for error in checked.errors]
    assert ["anomaly.lags"] in named and ["patchtst.model.d_model", "patchtst.model.nhead"] in named
    assert ["swinmae.data.train_ratio", "swinmae.data.val_ratio", "swinmae.data.calibrate_ratio"] in named
    assert len(named) == 3 and checked.overrides["anomaly.clip"] == 5.0


def test_overrides_reach_the_configuration_as_set_does(tmp_path: Path) -> None:
    project = Project.find()
    values = {"patchtst.data.path": ["a b/*.csv", "c=d"], "patchtst.data.timestamp_col": "null"}
    checked = check_values(load_config(project), values)
    texts = [f"{key}={json.dumps(value)}" for key, value in checked.overrides.items()]
    data = load_config(project, overrides=texts).patchtst.data
    assert (data.path, data.timestamp_col) == (("a b/*.csv", "c=d"), "null")
