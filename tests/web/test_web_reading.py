"""What the server answers to a page: states, runs, logs, and clear words for what cannot be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from links import make_link
from web_sites import RUN_ID, Site, ask, make_project, put_hub, recorded, serving, talk

from nightforge.web.project_data import LOG_CHUNK, LOG_TAIL, read_log


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with serving(make_project(tmp_path / "project", recorded("running_training"))) as running:
        yield running


def test_the_live_state_is_sent_once_and_then_only_confirmed(site: Site) -> None:
    first = ask(site, "/logs/pipeline_live_state.json")
    assert first.status == 200 and json.loads(first.body)["run_id"] == RUN_ID
    again = ask(site, "/logs/pipeline_live_state.json", If_None_Match=first.headers["etag"])
    assert (again.status, again.body) == (304, "")
    site.project.live_state.write_text(json.dumps(recorded("finished")))
    changed = ask(site, "/logs/pipeline_live_state.json", If_None_Match=first.headers["etag"])
    assert changed.status == 200 and json.loads(changed.body)["status"] == "succeeded"


def test_before_the_first_run_there_is_an_idle_state_and_an_empty_hub(tmp_path: Path) -> None:
    with serving(make_project(tmp_path / "project")) as site:
        assert json.loads(ask(site, "/logs/pipeline_live_state.json").body)["status"] == "idle"
        assert json.loads(ask(site, "/results/dashboard.json").body)["versions"] == []
        assert json.loads(ask(site, "/api/runs").body) == {"runs": []}
        assert json.loads(ask(site, "/api/status").body)["can"] == {"train": True, "stop": False}


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("cut", b'{"run_id": "2026', "line 1, column 12: not valid JSON"),
        ("empty", b"", "line 1, column 1: not valid JSON"),
        ("binary", b"\xff\xfe\x00", "not valid JSON"),
        ("deep", b"[" * 200_000, "not valid JSON"),
        ("list", b"[1, 2]", "should be a JSON object, found list"),
        ("large", b" " * (9 * 1024 * 1024), "larger than 8 MiB"),
    ],
)
def test_an_unreadable_state_is_named_with_its_place(site: Site, name: str, data: bytes, words: str) -> None:
    site.project.live_state.write_bytes(data)
    answer = ask(site, "/logs/pipeline_live_state.json")
    assert answer.status == 503
    assert words in json.loads(answer.body)["error"]["message"]
    assert "pipeline_live_state.json" in answer.body
    status = json.loads(ask(site, "/api/status").body)
    assert status["can"] == {"train": False, "stop": False}


def test_a_state_that_is_a_link_or_a_folder_is_not_read(site: Site) -> None:
    site.project.live_state.unlink()
    if make_link(site.project.live_state, "/etc/hostname"):
        assert ask(site, "/logs/pipeline_live_state.json").status == 503
        site.project.live_state.unlink()
    site.project.live_state.unlink(missing_ok=True)
    site.project.live_state.mkdir()
    assert ask(site, "/logs/pipeline_live_state.json").status == 503


def test_runs_are_listed_newest_first_and_a_broken_one_says_why(site: Site) -> None:
    put_hub(site.project)
    (site.project.run_dir("20261004-231500-07cd") / "state.json").write_text("{")
    runs = json.loads(ask(site, "/api/runs").body)["runs"]
    assert [run["run_id"] for run in runs] == sorted((run["run_id"] for run in runs), reverse=True)
    assert [run["status"] for run in runs] == ["running", "succeeded", "unreadable", "succeeded"]
    assert "not valid JSON" in runs[2]["message"]


@pytest.mark.parametrize(
    "fields", [{"run_id": 7}, {"status": []}, {"stages": {}}, {"result": "x"}, {"stop": 1}]
)
def test_a_state_with_fields_of_the_wrong_kind_breaks_no_list(site: Site, fields: dict[str, object]) -> None:
    state = {**recorded("running_training"), **fields}
    for path in (site.project.live_state, site.project.run_dir(RUN_ID) / "state.json"):
        path.write_text(json.dumps(state))
    for path in ("/api/runs", "/api/status", "/logs/pipeline_live_state.json"):
        assert ask(site, path).status == 200
    assert ask(site, f"/api/runs/{RUN_ID}/log/04").status in (200, 404)


def test_a_run_is_read_with_its_configuration_and_report(site: Site) -> None:
    assert json.loads(ask(site, f"/api/runs/{RUN_ID}").body)["run_id"] == RUN_ID
    assert json.loads(ask(site, f"/api/runs/{RUN_ID}/config").body)["profile"] == "tiny"
    report = ask(site, f"/api/runs/{RUN_ID}/report")
    assert report.headers["content-type"].startswith("text/plain") and report.body == "# Report\n"
    (site.project.run_dir(RUN_ID) / "report.md").unlink()
    assert "no report yet" in ask(site, f"/api/runs/{RUN_ID}/report").body


def test_a_log_is_read_piece_by_piece_from_where_the_page_was(site: Site) -> None:
    path = site.project.run_dir(RUN_ID) / "04.log"
    path.write_text("one\n", encoding="utf-8", newline="\n")
    address = f"/api/runs/{RUN_ID}/log/04"
    first = json.loads(ask(site, address).body)
    assert (first["text"], first["offset"], first["next_offset"]) == ("one\n", 0, 4)
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write("zwei Köpfe\n")
    more = json.loads(ask(site, f"{address}?offset=4").body)
    assert more["text"] == "zwei Köpfe\n" and more["next_offset"] == more["size"]


def test_a_log_of_a_stage_that_has_not_printed_is_empty(site: Site) -> None:
    (site.project.run_dir(RUN_ID) / "12.log").unlink()
    assert json.loads(ask(site, f"/api/runs/{RUN_ID}/log/12").body)["text"] == ""


def test_the_orchestrators_log_and_a_saved_log_are_sent(site: Site) -> None:
    site.project.live_log.write_text("started\n", newline="\n")
    assert json.loads(ask(site, f"/api/runs/{RUN_ID}/log/orchestrator").body)["text"] == "started\n"
    saved = ask(site, f"/api/runs/{RUN_ID}/log/04/file")
    assert saved.headers["content-disposition"] == f'attachment; filename="{RUN_ID}-04.log"'


def test_a_long_log_starts_near_its_end_on_a_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "long.log"
    path.write_text("".join(f"line {number}\n" for number in range(20_000)))
    part = read_log(path, None)
    assert part.text.startswith("line ") and part.next_offset == part.size
    assert part.size - part.offset <= LOG_TAIL


def test_a_log_that_became_shorter_starts_again(tmp_path: Path) -> None:
    path = tmp_path / "short.log"
    path.write_text("new\n", newline="\n")
    part = read_log(path, 999)
    assert (part.offset, part.text) == (0, "new\n")


@pytest.mark.parametrize("character", ["é", "✓", "🙂"])
def test_a_character_is_never_cut_in_two(tmp_path: Path, character: str) -> None:
    path = tmp_path / "cut.log"
    text = "x" * (LOG_CHUNK - 2) + character + "end"
    path.write_text(text, encoding="utf-8")
    first = read_log(path, 0)
    second = read_log(path, first.next_offset)
    assert first.text + second.text == text
    assert path.write_bytes(b"ok\xff\xfe\n") and read_log(path, 0).text == "ok\ufffd\ufffd\n"


def test_every_answer_carries_the_page_rules(site: Site) -> None:
    for path in ("/", "/dashboard/live.html", "/api/status", "/nothing"):
        headers = ask(site, path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in headers and "set-cookie" not in headers


def test_answers_with_the_token_are_never_stored(site: Site) -> None:
    assert ask(site, "/api/status").headers["cache-control"] == "no-store"
    assert site.token not in ask(site, "/api/identity").body


def test_the_front_door_leads_to_the_hub(site: Site) -> None:
    answer = ask(site, "/")
    assert (answer.status, answer.headers["location"]) == (302, "/dashboard/index.html")


def test_head_answers_without_a_body(site: Site) -> None:
    head = f"HEAD /dashboard/live.html HTTP/1.1\r\nHost: localhost:{site.port}\r\nConnection: close\r\n\r\n"
    answer = talk(site.port, head.encode(), end=True)
    assert answer.status == 200 and int(answer.headers["content-length"]) > 500 and answer.body == ""


def test_ipv6_loopback_is_answered_too(site: Site) -> None:
    answer = talk(site.port, f"GET /api/identity HTTP/1.1\r\nHost: [::1]:{site.port}\r\n\r\n".encode())
    assert answer.status == 200
