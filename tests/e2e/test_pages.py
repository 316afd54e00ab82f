"""The pages in a real browser: they say what holds, work by keyboard alone, show hostile text as text."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from web_sites import RUN_ID, make_project, put_hub, put_state, recorded, serving

PAGES = ("live.html", "index.html", "flowchart.html")
# recorded state, its age in seconds, title of the banner
KINDS = [
    ("starting", 1, "Starting"),
    ("running_training", 1, "Running"),
    ("running_exam", 1, "Running"),
    ("running_gpu", 1, "Running"),
    ("slow", 1, "Running"),
    ("retrying", 1, "Waiting to retry"),
    ("waiting_room", 1, "Waiting for room on the disk"),
    ("waiting_gpu", 1, "Waiting for the GPU"),
    ("failed", 60, "Failed in Merge"),
    ("stopping", 1, "Stopping"),
    ("stopped", 60, "Stopped"),
    ("finished", 60, "Finished"),
    ("stale", 400, "No news for 6"),
    ("outdated", 1, "Page and run speak different versions"),
    ("sparse", 1, "Running"),
    ("none", 0, "No run yet"),
    ("corrupt", 0, "State not readable"),
]
LOG = "".join(f"step {number * 5:4d}/230  loss {2.9 / (1 + number):.3f}\n" for number in range(60))


def project_of(folder: Path, kind: str, age_s: float = 1.0) -> Any:
    """A project in one recorded state, with results unless nothing has run."""
    project = make_project(
        folder / "project", None if kind in ("none", "corrupt") else recorded(kind, age_s), LOG
    )
    if kind == "corrupt":
        project.live_state.write_text('{"schema_version": 1,')
    if kind not in ("none", "starting"):
        put_hub(project, "hub_hostile" if kind == "hostile" else "hub")
    return project


@pytest.mark.slow
def test_who_holds_the_gpu_is_named_and_forecasts_say_how_good_they_were(
    tmp_path: Path, open_tab: Callable[..., Any]
) -> None:
    tab = open_tab()
    with serving(project_of(tmp_path, "waiting_gpu")) as site:
        tab.goto(f"{site.url}/dashboard/live.html")
        assert tab.text("#title") == "Waiting for the GPU"
        words = tab.text("#detail")
        assert "jupyter-lab (pid 3912, alice) with 71,240 MB" in words and "no attempt is used up" in words
        assert "waiting" in str(tab.page.locator(".stage.waiting").get_attribute("aria-label"))
        put_state(site.project, recorded("running_training"))
        tab.page.locator("#title", has_text="Running").wait_for()
        said = tab.text("#forecast").replace("\u202f", " ")
        assert "median error 6 %, 66 of 80 ends inside the range" in said and "About 5 s more" in said
        assert tab.page.evaluate("document.documentElement.scrollHeight") <= 800
        tab.check(site.url)


@pytest.mark.slow
def test_the_live_page_says_what_holds_in_every_state(tmp_path: Path, open_tab: Callable[..., Any]) -> None:
    tab = open_tab()
    with serving(project_of(tmp_path, "none")) as site:
        for kind, age_s, title in KINDS:
            if kind == "corrupt":
                site.project.live_state.write_text('{"schema_version": 1,')
            elif kind != "none":
                put_state(site.project, recorded(kind, age_s), LOG)
            else:
                site.project.live_state.unlink(missing_ok=True)
            tab.goto(f"{site.url}/dashboard/live.html")
            assert tab.text("#title").startswith(title), kind
        assert "line 1, column" in tab.text("#detail")
        tab.problems = [
            text for text in tab.problems if "503" not in text
        ]  # Chromium reports the refused read
        tab.check(site.url)


@pytest.mark.slow
def test_the_live_page_answers_its_questions_without_scrolling(
    tmp_path: Path, open_tab: Callable[..., Any]
) -> None:
    tab = open_tab()
    with serving(project_of(tmp_path, "running_training")) as site:
        tab.goto(f"{site.url}/dashboard/live.html")
        assert "142/230 steps" in tab.text("#now-words")
        watched = tab.text("#watch")
        assert watched.startswith("steps · last progress") and watched.endswith("limit 3\u202fh, configured")
        assert "done" in tab.text("#times") and RUN_ID in tab.text("#identity")
        assert "step  295/230" in tab.text(".log")
        height = tab.page.evaluate("document.documentElement.scrollHeight")
        assert height <= 800
        put_state(site.project, recorded("slow"), LOG)
        tab.page.locator("#watch.slow", has_text="no progress for 14\u202fmin").wait_for()
        assert "ended and started again after 40\u202fmin · limit learned from 3 runs" in tab.text("#watch")
        assert tab.page.evaluate("document.documentElement.scrollHeight") <= 800
        for kind, title in (("failed", "Failed in Merge"), ("finished", "Finished")):
            put_state(site.project, recorded(kind))
            tab.page.locator("#title", has_text=title).wait_for()
        assert "is trained, examined and backed up" in tab.text("#detail")
        trained_only = recorded("finished")
        trained_only["stages"] = [
            stage for stage in trained_only["stages"] if stage["id"] in ("04", "16-post")
        ]
        put_state(site.project, trained_only)
        tab.page.locator("#detail", has_text="is trained and backed up").wait_for()
        tab.check(site.url)


def test_the_live_page_works_with_the_keyboard_alone(tmp_path: Path, open_tab: Callable[..., Any]) -> None:
    tab = open_tab()
    with serving(project_of(tmp_path, "running_exam")) as site:
        (site.project.run_dir(RUN_ID) / "03.log").write_text("three thousand rows\n")
        tab.goto(f"{site.url}/dashboard/live.html")
        keys = tab.page.keyboard
        keys.press("Tab")
        assert tab.page.evaluate("document.activeElement.className") == "skip"
        keys.press("Enter")
        for _ in range(3):
            keys.press("Tab")
            if "stage" in tab.page.evaluate("document.activeElement.className"):
                break
        keys.press("ArrowDown")
        keys.press("ArrowUp")
        keys.press("Enter")
        tab.wait(".log:text('three thousand')")
        tab.page.locator("#tab-answers").focus()
        keys.press("ArrowLeft")
        assert tab.page.locator("#pane-loss").is_visible()
        tab.check(site.url)


@pytest.mark.slow
def test_stopping_asks_once_in_place_and_shows_the_answer(
    tmp_path: Path, open_tab: Callable[..., Any]
) -> None:
    tab = open_tab()
    with serving(project_of(tmp_path, "running_training")) as site:
        tab.goto(f"{site.url}/dashboard/live.html")
        tab.page.get_by_role("button", name="Stop…").click()
        assert "Nothing is lost" in tab.text("#ask") and not site.project.stop_request.exists()
        tab.page.get_by_role("button", name="Let it run").click()
        tab.page.get_by_role("button", name="Stop…").click()
        tab.page.get_by_role("button", name="Stop the run").click()
        tab.page.get_by_text("Stop asked by this page.").wait_for()
        request = json.loads(site.project.stop_request.read_text())
        assert (request["by"], request["run_id"]) == ("page", RUN_ID)
        put_state(site.project, recorded("stopping"))
        tab.page.get_by_text("Stop asked by a page").wait_for()
        tab.check(site.url)


@pytest.mark.slow
def test_the_page_survives_a_restart_of_the_server(tmp_path: Path, open_tab: Callable[..., Any]) -> None:
    tab = open_tab()
    project = project_of(tmp_path, "running_training")
    with serving(project) as site:
        port = site.port
        tab.goto(f"{site.url}/dashboard/live.html")
    tab.wait("#title:text-is('Dashboard server not answering')")
    put_state(project, recorded("running_training"))
    with serving(project, port):
        tab.wait("#title:text-is('Running')")
        tab.page.get_by_role("button", name="Stop…").click()
        tab.page.get_by_role("button", name="Stop the run").click()  # with the token of the new server
        tab.page.get_by_text("Stop asked by this page.").wait_for()


@pytest.mark.parametrize("name", PAGES)
def test_hostile_text_stays_text(tmp_path: Path, open_tab: Callable[..., Any], name: str) -> None:
    tab = open_tab()
    project = project_of(tmp_path, "hostile")
    attack = "<img src=x onerror=window.hacked=1>\x1b[31m</pre><script>window.hacked=1</script>\n"
    put_state(project, recorded("hostile"), attack)
    with serving(project) as site:
        tab.goto(f"{site.url}/dashboard/{name}")
        if name == "live.html":
            tab.page.locator("#tab-answers").click()
            tab.page.locator(".answer summary").first.click()
        if name == "index.html":
            tab.page.locator(".cell").first.click()
        tab.page.wait_for_timeout(300)
        assert tab.page.evaluate("window.hacked") is None
        assert tab.page.evaluate("document.images.length") == 0
        assert "onerror" in tab.text("main")
        tab.check(site.url)


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_an_empty_project_explains_the_first_command(
    tmp_path: Path, open_tab: Callable[..., Any], name: str
) -> None:
    tab = open_tab("light")
    with serving(project_of(tmp_path, "none")) as site:
        tab.goto(f"{site.url}/dashboard/{name}")
        tab.page.locator("#welcome").wait_for()
        assert "python launch_pipeline.py" in tab.text("#welcome")
        tab.check(site.url)


def test_the_hub_answers_and_compares_two_runs(tmp_path: Path, open_tab: Callable[..., Any]) -> None:
    tab = open_tab()
    with serving(project_of(tmp_path, "finished")) as site:
        tab.goto(f"{site.url}/dashboard/index.html")
        tab.page.locator(".tile").first.wait_for()
        assert "v4  0.71" in tab.text("#tiles") and "0.65–0.77" in tab.text("#tiles")
        assert tab.page.locator("#mastery .cell").count() == 48
        tab.page.locator("#mastery .cell").first.click()
        assert "node Timeline is missing" in tab.text("#failures")
        tab.page.locator("#filter").fill("v3")
        assert tab.page.locator("#runs tr").count() == 1
        tab.page.locator("#filter").fill("")
        for row in (0, 2):
            tab.page.locator("#runs input").nth(row).check()
        tab.page.get_by_text("unseen score").wait_for()
        assert "+0.210" in tab.text("#compare-body") and "training.learning_rate" in tab.text("#compare-body")
        tab.check(site.url)


def test_the_hub_shows_the_training_data_or_says_that_it_knows_nothing(
    tmp_path: Path, open_tab: Callable[..., Any]
) -> None:
    tab = open_tab()
    with serving(project_of(tmp_path, "finished")) as site:
        tab.goto(f"{site.url}/dashboard/index.html")
        tab.page.locator(".data-part").first.wait_for()
        words = tab.text("#training-data").replace("\u202f", " ")
        assert "205 of 214" in words and "Examined but never taught: SetTide" in words
        assert "2,611 to train on, 212 held out for the loss. 160 of 2,963 rows refused." in words
        assert tab.page.locator("tr", has_text="from the editor").get_attribute("title") == (
            "19 read; refused: 11 opaque nodes"
        )
        assert "evaluation tests\t12\t1" in words and "merged" in tab.text("#training-data-made")
        hub = json.loads(site.project.hub_data.read_text(encoding="utf-8"))
        site.project.hub_data.write_text(json.dumps(hub | {"card": None, "dataset": None}))
        tab.page.reload()
        tab.page.get_by_text("No training data has been merged yet").wait_for()
        assert tab.page.locator(".data-part").count() == 0 and tab.text("#training-data-made") == ""
        tab.check(site.url)


def test_the_flowchart_lights_up_and_moves_with_the_arrow_keys(
    tmp_path: Path, open_tab: Callable[..., Any]
) -> None:
    tab = open_tab()
    with serving(project_of(tmp_path, "running_training")) as site:
        tab.goto(f"{site.url}/dashboard/flowchart.html")
        tab.page.locator(".box").first.wait_for()
        assert (
            tab.page.locator(".box.succeeded").count() == 7 and tab.page.locator(".box.running").count() == 1
        )
        assert tab.page.locator(".phase-head").count() == 9
        assert tab.page.locator("path.edge.loop").count() == 1
        tab.page.locator(".box.running").focus()
        tab.page.keyboard.press("ArrowRight")
        assert tab.text("#stage-title") == "Backup the new adapter"
        tab.page.keyboard.press("ArrowRight")
        assert "results/exams/vN/" in tab.text("#facts")
        tab.check(site.url)


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("name", PAGES)
def test_every_page_draws_every_state_in_both_themes(
    tmp_path: Path, open_tab: Callable[..., Any], name: str, theme: str
) -> None:
    shots = tmp_path / "shots"
    kinds = KINDS if theme == "light" else KINDS[::3]  # the colours differ, not what is drawn
    for kind, age_s, title in kinds:
        tab = open_tab(theme)
        with serving(project_of(tmp_path / kind, kind, age_s)) as site:
            tab.goto(f"{site.url}/dashboard/{name}")
            tab.page.wait_for_timeout(400)
            if name != "index.html":
                assert tab.text("#title").startswith(title), kind
            tab.page.screenshot(path=shots / f"{name}-{kind}-{theme}.png", full_page=True)
            tab.problems = [text for text in tab.problems if kind != "corrupt" or "503" not in text]
            tab.check(site.url)
            tab.page.context.close()
    assert len(list(shots.glob("*.png"))) == len(kinds)


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_a_phone_needs_no_sideways_scrolling(tmp_path: Path, open_tab: Callable[..., Any], name: str) -> None:
    tab = open_tab(width=400, height=800)
    with serving(project_of(tmp_path, "retrying")) as site:
        tab.goto(f"{site.url}/dashboard/{name}")
        tab.page.wait_for_timeout(400)
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= 400
        tab.check(site.url)


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_all_text_has_a_contrast_of_at_least_4_5(
    tmp_path: Path, open_tab: Callable[..., Any], theme: str
) -> None:
    with serving(project_of(tmp_path, "retrying")) as site:
        for name in PAGES:
            tab = open_tab(theme)
            tab.goto(f"{site.url}/dashboard/{name}")
            tab.page.wait_for_timeout(300)
            assert tab.page.evaluate(CONTRAST) == []


@pytest.mark.slow
def test_first_paint_is_fast_and_an_idle_tab_is_quiet(tmp_path: Path, open_tab: Callable[..., Any]) -> None:
    tab = open_tab()
    with serving(project_of(tmp_path, "finished")) as site:
        tab.goto(f"{site.url}/dashboard/live.html")
        tab.page.reload(wait_until="load")
        paint = tab.page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime")
        assert paint is not None and paint < 300
        tab.page.wait_for_timeout(1500)
        session = tab.page.context.new_cdp_session(tab.page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})  # CPU time, not time on the clock
        before = _task_seconds(session)
        began = time.monotonic()
        tab.page.wait_for_timeout(10_000)
        assert (_task_seconds(session) - before) / (time.monotonic() - began) < 0.01


def _task_seconds(session: Any) -> float:
    metrics = session.send("Performance.getMetrics")["metrics"]
    return next(float(row["value"]) for row in metrics if row["name"] == "TaskDuration")


# Each element's own text against the nearest opaque background: a list of those below 4.5.
CONTRAST = """() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const back = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const bad = [];
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.checkVisibility() || e.closest('[disabled], .visually-hidden, svg, .skip')) continue;
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(back(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) bad.push(`${e.className} ${e.textContent.slice(0, 30)} ${ratio.toFixed(2)}`);
  }
  return bad;
}"""
