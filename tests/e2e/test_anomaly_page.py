"""The anomaly page in a browser: files, settings, graph, decisions, history; what holds, both themes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from anomaly_results import EARLIER, LABEL, put_files, put_results
from test_pages import CONTRAST, _task_seconds
from web_sites import make_project, put_state, recorded, serving

PAGE = "/dashboard/anomaly.html"
# recorded state, its age in seconds, title of the banner, chosen tab of the outcome
KINDS = [
    ("none", 0, "No anomaly run yet", "losses"),
    ("anomaly_training", 1, "Running", "losses"),
    ("anomaly_scoring", 1, "Running", "losses"),
    ("anomaly_failed", 60, "Failed in Check and prepare sensor data", "losses"),
    ("anomaly_stopped", 60, "Stopped", "losses"),
    ("anomaly_training", 400, "No news for 6", "losses"),
    ("running_training", 1, "No anomaly run yet", "losses"),
    ("outdated", 1, "Page and run speak different versions", None),
    ("corrupt", 0, "State not readable", "losses"),
    ("anomaly_finished", 60, "Finished", "decisions"),
]


def put_kind(project: Any, kind: str, age_s: float) -> None:
    """Bring a project into one state; the finished one has results."""
    if kind == "none":
        project.live_state.unlink(missing_ok=True)
    elif kind == "corrupt":
        project.live_state.write_text('{"schema_version": 1,')
    else:
        put_state(project, recorded(kind, age_s))
    if kind == "anomaly_finished":
        put_results(project)


def project_of(folder: Path, kind: str = "none", age_s: float = 1.0) -> Any:
    project = make_project(folder / "project")
    project.config_file.write_text('{"profile": "tiny"}')
    put_kind(project, kind, age_s)
    return project


def open_page(tab: Any, site: Any) -> None:
    tab.goto(f"{site.url}{PAGE}")
    tab.page.locator("#work").wait_for()


def fake_launcher(site: Any) -> list[list[str]]:
    """Let Train start nothing; returns the command lines it would have run."""
    started: list[list[str]] = []
    site.server.application._parts.changes._spawn = lambda argv, *_: started.append(argv) or 4711
    return started


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_page_says_what_holds_in_every_state_and_fits_one_screen(
    tmp_path: Path, open_tab: Callable[..., Any], theme: str
) -> None:
    tab = open_tab(theme)
    project = project_of(tmp_path)
    with serving(project) as site:
        kinds = KINDS if theme == "light" else KINDS[::3]  # the colours differ, not what is drawn
        for kind, age_s, title, outcome in kinds:
            put_kind(project, kind, age_s)
            tab.goto(f"{site.url}{PAGE}")
            assert tab.text("#title").startswith(title), kind
            if outcome:
                tab.wait(f"#tab-{outcome}[aria-selected=true]")
                tab.page.locator(f"#pane-{outcome}").wait_for()
            assert tab.page.evaluate("document.documentElement.scrollHeight") <= 800, kind
            assert tab.page.evaluate(CONTRAST) == [], kind
        tab.page.locator(".event-table").wait_for()
        tab.page.screenshot(path=tmp_path / f"finished-{theme}.png")
    tab.wait("#title:text-is('Dashboard server not answering')")
    assert tab.page.get_by_role("button", name="Train", exact=True).is_disabled()
    refused = ("503", "ERR_CONNECTION", "Failed to load")  # the corrupt state, and the server that has gone
    tab.problems = [text for text in tab.problems if not any(word in text for word in refused)]
    tab.check(site.url)


@pytest.mark.slow
def test_files_are_imported_and_training_started_with_the_keyboard_alone(
    tmp_path: Path, open_tab: Callable[..., Any]
) -> None:
    tab = open_tab()
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for file in files:
        file.write_text("time,flow\n1,2\n2,3\n")
    with serving(project_of(tmp_path)) as site:
        started = fake_launcher(site)
        tab.page.on("filechooser", lambda _: None)  # choosers are caught from now on, not from a moment later
        open_page(tab, site)
        keys = tab.page.keyboard
        for _ in range(30):
            keys.press("Tab")
            focused = tab.page.evaluate("document.activeElement.getAttribute('aria-label') ?? ''")
            if focused.startswith("Choose files, Sensor tables"):
                break
        else:
            pytest.fail("the keyboard does not reach the files")
        with tab.page.expect_file_chooser() as chooser:
            keys.press("Enter")
        chooser.value.set_files(files)
        tab.page.locator(".zone", has_text="2 files · ").wait_for()
        assert "accepted" in tab.text(".sent")
        folder = site.project.root / "data" / "local" / "train" / "fdc"
        assert sorted(path.name for path in folder.iterdir()) == ["a.csv", "b.csv"]
        tab.page.locator("#use-swinmae").focus()
        keys.press("Space")
        for _ in range(30):
            keys.press("Shift+Tab")
            if tab.page.evaluate("document.activeElement.textContent") == "Train":
                break
        keys.press("Enter")
        tab.page.get_by_text("Asked by this page").wait_for()
        command = " ".join(started[0][2:])
        assert "--pipeline anomaly" in command and "swinmae.enabled=false" in command.replace(" ", "")
        tab.check(site.url)


@pytest.mark.slow
def test_a_bad_file_is_named_with_the_reason_and_nothing_is_lost(
    tmp_path: Path, open_tab: Callable[..., Any]
) -> None:
    tab = open_tab()
    good, bad = tmp_path / "new.csv", tmp_path / "notes.txt"
    good.write_text("time,flow\n1,2\n")
    bad.write_text("no table")
    project = project_of(tmp_path)
    put_files(project, "fdc", "train", 2)
    folder = project.root / "data" / "local" / "train" / "fdc"
    with serving(project) as site:
        open_page(tab, site)
        zone = tab.page.locator(".zone").first
        zone.locator("input").set_input_files([good, bad])
        asked = zone.get_by_role("group", name="Sensor tables: add or replace?")
        assert "replace line-1.csv, line-2.csv?" in asked.inner_text()
        asked.get_by_role("button", name="Replace 2 files").click()
        settle = zone.get_by_role("group", name="Not all files were accepted")
        settle.wait_for()
        assert "notes.txt" in zone.locator(".sent li.failed").inner_text()
        assert sorted(path.name for path in folder.iterdir()) == ["line-1.csv", "line-2.csv"]
        settle.get_by_role("button", name="Use the 1 accepted").click()
        tab.page.locator(".zone", has_text="1 file · ").first.wait_for()
        assert [path.name for path in folder.iterdir()] == ["new.csv"]
        zone.get_by_role("button", name="Close").click()
        zone.locator("input").set_input_files([bad])
        zone.get_by_role("button", name="Add").click()
        zone.get_by_role("button", name="Drop this import").click()
        tab.page.get_by_text("the files in use are as they were").wait_for()
        assert [path.name for path in folder.iterdir()] == ["new.csv"]
        tab.check(site.url)


def test_settings_show_what_differs_and_what_is_wrong_at_the_field(
    tmp_path: Path, open_tab: Callable[..., Any]
) -> None:
    tab = open_tab()
    with serving(project_of(tmp_path)) as site:
        started = fake_launcher(site)
        open_page(tab, site)
        tab.page.locator("#tab-settings").click()
        field = tab.page.locator('[id="set-patchtst.training.lr"]')
        was = field.input_value()
        field.fill("0.0042")
        field.press("Tab")
        tab.page.locator(".diff-list", has_text="patchtst.training.lr").wait_for()
        assert f"{was} → 0.0042" in tab.text(".diff-list")
        size = tab.page.locator('[id="set-patchtst.training.batch_size"]')
        size.fill("many")
        size.press("Tab")
        row = tab.page.locator('[data-field="patchtst.training.batch_size"]')
        row.locator(".wrong").wait_for()
        assert size.get_attribute("aria-invalid") == "true"
        tab.page.locator("#tab-files").click()
        tab.page.get_by_role("button", name="Train", exact=True).click()  # refused: shown at the field
        row.locator(".wrong").wait_for()
        assert started == []
        row.get_by_role("button", name="Reset").click()
        tab.page.locator('[aria-invalid="true"]').wait_for(state="detached")
        tab.page.get_by_role("button", name="Train", exact=True).click()
        tab.page.get_by_text("Asked by this page").wait_for()
        assert "patchtst.training.lr=0.0042" in " ".join(started[0])
        assert len(tab.problems) == 1 and "400" in tab.problems.pop()  # Chromium reports the refused start
        tab.check(site.url)


@pytest.mark.slow
def test_the_graph_lights_up_and_is_moved_by_mouse_and_keys(
    tmp_path: Path, open_tab: Callable[..., Any]
) -> None:
    tab = open_tab()
    project = project_of(tmp_path, "anomaly_training")
    with serving(project) as site:
        open_page(tab, site)
        running = tab.page.locator(".graph-node.running", has_text="Swin model")
        running.wait_for()
        assert "step 140 of 300" in running.inner_text()
        assert tab.page.locator(".graph-node.done").count() == 3
        assert tab.page.locator("path.graph-edge.running").count() == 1
        before = running.bounding_box()
        running.drag_to(tab.page.locator("#graph"), target_position={"x": 300, "y": 160})
        assert abs(running.bounding_box()["x"] - before["x"]) > 50
        running.focus()
        tab.page.keyboard.press("Shift+ArrowDown")
        tab.page.keyboard.press("ArrowLeft")
        assert "Swin" not in tab.page.evaluate("document.activeElement.textContent")
        scale = "document.querySelector('.graph-canvas').style.transform"
        wide = tab.page.evaluate(scale)
        tab.page.mouse.move(900, 260)
        tab.page.mouse.wheel(0, -100)
        assert tab.page.evaluate(scale) != wide
        tab.page.keyboard.press("0")
        assert tab.page.evaluate(scale) == wide
        put_state(project, recorded("anomaly_scoring"))
        tab.wait("#tab-batch-decision[aria-selected=true]")
        tab.page.locator(".graph-node.running", has_text="Score sensors").click()
        assert "1,200 of 3,210 windows" in tab.text("#graph-said")
        assert tab.page.get_by_role("button", name="Train", exact=True).is_disabled()
        tab.page.get_by_role("button", name="Stop…").click()
        assert "Nothing is lost" in tab.text("#ask") and not project.stop_request.exists()
        tab.page.get_by_role("button", name="Stop the run").click()
        tab.page.get_by_text("Stop asked by this page.").wait_for()
        assert project.stop_request.exists()
        tab.check(site.url)


def test_decisions_are_read_by_event_and_zoomed(tmp_path: Path, open_tab: Callable[..., Any]) -> None:
    tab = open_tab()
    with serving(project_of(tmp_path, "anomaly_finished", 60)) as site:
        open_page(tab, site)
        tab.page.locator(".event-table tbody tr").nth(3).wait_for()
        assert "2 events" in tab.text("#detail")
        assert tab.page.locator(".band.anomaly").count() == 4
        first = tab.page.locator(".event-table tbody tr").first
        heading = tab.page.locator(".score-head").first.inner_text().replace("\n", "")
        assert "drifted from the training data" in tab.text(".remarks")
        assert "anomaly 3.400(1\u202f% of normal windows)" in heading
        assert "pressure" in first.inner_text() and "17\u202fmin" in first.inner_text()
        tab.page.locator(".event-pick").first.click()
        tab.page.locator(".band.chosen").wait_for()
        assert tab.page.locator(".score-chart").first.locator(".band").count() == 1  # looked at closely
        tab.page.locator(".score-body").first.focus()
        tab.page.keyboard.press("0")
        assert tab.page.locator(".score-chart").first.locator(".band").count() == 2
        tab.page.locator("#outcome-links summary").click()
        link = tab.page.get_by_role("link", name="Sensor tables: events, CSV")
        with tab.page.expect_download() as saved:
            link.click()
        assert "patchtst:000001" in Path(saved.value.path()).read_text()
        tab.page.locator("#tab-checks").click()
        assert tab.page.locator(".check.done").count() == 6
        assert "skipped" in tab.text(".check.skipped")
        tab.check(site.url)


def test_two_runs_are_compared_in_results_settings_and_losses(
    tmp_path: Path, open_tab: Callable[..., Any]
) -> None:
    tab = open_tab()
    with serving(project_of(tmp_path, "anomaly_finished", 60)) as site:
        open_page(tab, site)
        tab.page.locator("#tab-history").click()
        for run_id in (LABEL, EARLIER):
            tab.page.get_by_label(f"Compare run {run_id}").check()
        tab.page.locator(".compare-curves path").first.wait_for()
        words = tab.text(".comparison")
        assert "patchtst.training.lr" in words and "0.007" in words
        assert "sensor tables: validation loss" in words and "−0.060" in words
        tab.page.locator("#tab-quality").click()
        tab.page.get_by_text("timestamps go backwards 14 times").first.wait_for()
        tab.check(site.url)


def test_hostile_names_and_messages_stay_text(tmp_path: Path, open_tab: Callable[..., Any]) -> None:
    tab = open_tab()
    project = project_of(tmp_path, "anomaly_hostile")
    put_results(project, hostile=True)
    with serving(project) as site:
        open_page(tab, site)
        for name in ("quality", "decisions", "checks", "history"):
            tab.page.locator(f"#tab-{name}").click()
            tab.page.wait_for_timeout(150)
        assert "onerror" in tab.text("main")
        assert tab.page.evaluate("window.hacked") is None
        assert tab.page.evaluate("document.images.length") == 0
        tab.check(site.url)


@pytest.mark.slow
def test_an_idle_tab_with_results_is_quiet(tmp_path: Path, open_tab: Callable[..., Any]) -> None:
    tab = open_tab()
    with serving(project_of(tmp_path, "anomaly_finished", 60)) as site:
        open_page(tab, site)
        tab.page.locator(".event-table").wait_for()
        tab.page.wait_for_timeout(1500)
        session = tab.page.context.new_cdp_session(tab.page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})  # CPU time, not time on the clock
        before = _task_seconds(session)
        began = time.monotonic()
        tab.page.wait_for_timeout(6_000)
        assert (_task_seconds(session) - before) / (time.monotonic() - began) < 0.01


@pytest.mark.slow
def test_a_phone_shows_all_of_it_without_sideways_scrolling(
    tmp_path: Path, open_tab: Callable[..., Any]
) -> None:
    tab = open_tab(width=400, height=800)
    with serving(project_of(tmp_path, "anomaly_finished", 60)) as site:
        open_page(tab, site)
        for name in ("losses", "checks", "history", "settings", "quality", "decisions"):
            tab.page.locator(f"#tab-{name}").click()
            tab.page.wait_for_timeout(100)
            assert tab.page.evaluate("document.documentElement.scrollWidth") <= 400, name
        tab.check(site.url)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["live.html", "flowchart.html"])
def test_the_other_pages_know_the_anomaly_pipeline(
    tmp_path: Path, open_tab: Callable[..., Any], name: str
) -> None:
    tab = open_tab()
    with serving(project_of(tmp_path, "anomaly_training")) as site:
        tab.goto(f"{site.url}/dashboard/{name}")
        tab.page.get_by_text("Train Swin on vibration").first.wait_for()
        words = tab.text("main")
        assert "1 Data" in words and "4 Decisions" in words and "Exam" not in words
        put_state(site.project, recorded("anomaly_finished", 60))
        tab.page.locator("#title", has_text="Finished").wait_for()
        assert "examined" not in tab.text("#detail")
        tab.check(site.url)
