"""The page files keep the house rules: small modules, no HTML from text, nothing inline or from outside."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nightforge.anomaly.nodes import VIEWS
from nightforge.core.errors import InputError
from nightforge.web.assets import FOLDER, NAMES, fingerprint, load_assets

FILES = sorted(FOLDER.iterdir())
SCRIPTS = [path for path in FILES if path.suffix == ".js"]
PAGES = [path for path in FILES if path.suffix == ".html"]


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_the_server_hands_out_exactly_the_files_of_the_folder() -> None:
    assert sorted(NAMES) == [path.name for path in FILES]
    assert len(load_assets()) == len(NAMES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_is_small_and_asks_for_nothing_outside(path: Path) -> None:
    text = text_of(path).replace("http://www.w3.org/2000/svg", "")
    assert text.count("\n") < 500
    assert not re.search(r"https?://|//cdn|@import|url\(['\"]?http", text)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_module_writes_text_only_as_text(path: Path) -> None:
    banned = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|new Function|"
        r"createContextualFragment|srcdoc"
    )
    assert not re.search(banned, text_of(path))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_only_the_poller_touches_network_clock_and_storage(path: Path) -> None:
    if path.name != "poll.js":
        found = re.findall(
            r"\bfetch\(|Date\.now|new Date\(\)|setInterval|setTimeout|XMLHttpRequest|localStorage",
            text_of(path),
        )
        assert found == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_function_stays_short(path: Path) -> None:
    lines = text_of(path).split("\n")
    starts = [n for n, line in enumerate(lines) if re.match(r"(export )?(async )?function ", line)]
    for start in starts:
        length = next(n for n, line in enumerate(lines[start:]) if line == "}")
        assert length < 45, lines[start]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_every_import_names_something_that_is_exported(path: Path) -> None:
    for names, module in re.findall(r'import \{([^}]*)\} from "\./([\w.]+)"', text_of(path)):
        other = text_of(FOLDER / module)
        for name in (part.strip() for part in names.split(",")):
            assert re.search(rf"export (async )?(function|const|let) {name}\b", other), (name, module)
            assert len(re.findall(rf"\b{name}\b", text_of(path))) > 1, f"{name} is imported and not used"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_has_no_inline_script_or_style(path: Path) -> None:
    text = text_of(path)
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=|javascript:", text)
    assert 'class="skip"' in text and 'lang="en"' in text and 'name="viewport"' in text
    for address in re.findall(r'(?:src|href)="(/dashboard/[^"]+)"', text):
        assert address in load_assets()


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("live", "live"),
        ("hub", "index"),
        ("flowchart", "flowchart"),
        ("anomaly", "anomaly"),
        ("anomaly_banner", "anomaly"),
    ],
)
def test_every_element_a_script_asks_for_is_in_its_page(name: str, page: str) -> None:
    html = text_of(FOLDER / f"{page}.html")
    for wanted in re.findall(r'byId\("([\w-]+)"\)', text_of(FOLDER / f"{name}.js")):
        assert f'id="{wanted}"' in html, wanted


def test_the_graph_on_the_page_is_the_one_that_runs_light_up() -> None:
    text = text_of(FOLDER / "anomaly_graph.js")
    views = re.split(r"\n    id: ", text)[1:]
    assert len(views) == len(VIEWS)
    for view, (name, wanted) in zip(views, VIEWS.items(), strict=True):
        assert view.startswith(f'"{name}"')
        assert dict(re.findall(r'node\("([\w-]+)", "([^"]+)"\)', view)) == wanted.nodes
        assert re.findall(r'\["([\w-]+)", "([\w-]+)"\]', view) == list(wanted.edges)


def test_a_missing_page_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="flowchart.html cannot be read"):
        load_assets(tmp_path)


def test_the_fingerprint_changes_with_the_pages(tmp_path: Path) -> None:
    for path in FILES:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    before = fingerprint(load_assets(tmp_path))
    (tmp_path / "base.css").write_text("body {}")
    assert fingerprint(load_assets(tmp_path)) != before == fingerprint(load_assets())
