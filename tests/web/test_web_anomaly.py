"""The anomaly page reads what stages wrote, by fixed names; what cannot be read is told and harms nothing."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from links import make_link
from web_sites import RUN_ID, Answer, Site, ask, begin, make_project, overview, recorded, serving, talk

from nightforge.core.atomic import write_json, write_text
from nightforge.core.paths import Project
from nightforge.web.anomaly_data import ARTIFACTS
from nightforge.web.changes import ACTIONS
from nightforge.web.project_data import FILE_LIMIT

LABEL = RUN_ID
REPORT = "<!doctype html><title>Report</title><script>alert(1)</script><p>secret column &lt;b&gt;</p>"


def put_json(path: Path, content: Any) -> None:
    write_json(path, content, durable=False)  # no test here cuts the power


def put_text(path: Path, text: str) -> None:
    write_text(path, text, durable=False)


def put_results(project: Project) -> Path:
    """Write what stages 21 to 27 leave behind, small."""
    results = project.anomaly_results
    counts = {"files": 2, "kept": 1, "dropped": 1, "warnings": 3}
    quality = {"stream": "patchtst", "source": "csv", "summary": counts, "files": [{}, {}]}
    put_json(results / "quality" / "fdc.json", quality)
    put_text(results / "quality" / "fdc.html", REPORT)
    folder = results / "runs" / LABEL
    put_json(folder / "summary.json", {"run_id": RUN_ID, "streams": {"patchtst": {}}})
    put_json(folder / "patchtst_events.json", {"records": [{"score": 1.5}]})
    put_json(folder / "chart_patchtst.json", {"score": [1, 2]})
    put_text(folder / "patchtst_events.csv", "event_id,score\npatchtst:000001,1.5\n")
    put_text(folder / "patchtst_alarms.csv", 'start,end,channel\n1,2,"a, b"\n3,4,c\n')
    put_text(folder / "report.html", REPORT)
    put_json(folder / "checklist.json", {"items": [{"index": 1, "title": "checkpoints", "passed": True}]})
    (folder / "bundle.zip").write_bytes(os.urandom(700_000))
    put_json(results / "latest.json", {"label": LABEL, "run_id": RUN_ID})
    put_json(results / "history" / f"{RUN_ID}.json", {"meta": {"run_id": RUN_ID}})
    put_json(results / "history" / "index.json", {"runs": [{"run_id": RUN_ID}]})
    state = {"nodes": {"dqvl": {"status": "done"}}, "artifacts": {"readiness": {"scaler_ready": True}}}
    put_json(results / "dashboard-state.json", state)
    put_json(project.anomaly_data / "fdc" / "train" / "dataset.json", {"hash": "h1", "files": ["a"]})
    for number in (2, 10):
        put_json(project.models / f"patchtst-v{number}" / "manifest.json", {"model_hash": f"m{number}"})
    (project.models / "patchtst-v11").mkdir()  # not complete
    put_json(project.models / "anomaly-patchtst-v3" / "manifest.json", {"alpha": float("nan")})
    return folder


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    project = make_project(tmp_path / "project", recorded("stopped"))
    put_results(project)
    (tmp_path / "secret.json").write_text('{"secret": 1}')
    with serving(project) as running:
        yield running


def value(answer: Answer) -> Any:
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def test_before_anything_was_made_the_page_has_every_key(tmp_path: Path, site: Site) -> None:
    with serving(make_project(tmp_path / "empty")) as empty:
        shown = overview(empty)
    assert shown.keys() == overview(site).keys()
    stream = shown["streams"]["swinmae"]
    assert stream["data"]["train"] == {
        "path": "data/local/train/vib",
        "problem": None,
        "files": 0,
        "bytes": 0,
        "kind": None,
        "list": [],
        "other": 0,
    }
    assert stream["quality"] is stream["model"] is stream["thresholds"] is None
    assert shown["results"] == shown["history"] == shown["checklist"] == shown["problems"] == []
    assert shown["can"] == {"train": True, "stop": False, "import": True} and shown["blocked"] is None


def test_the_page_shows_data_quality_models_results_and_history(site: Site) -> None:
    shown = overview(site)
    stream = shown["streams"]["patchtst"]
    assert stream["quality"]["summary"] == {
        "stream": "patchtst",
        "source": "csv",
        "files": 2,
        "kept": 1,
        "dropped": 1,
        "warnings": 3,
    }
    assert stream["quality"]["report"] is True and stream["quality"]["files"] == 2
    assert stream["prepared"] == {"train": {"hash": "h1"}, "score": None}
    assert stream["model"]["version"] == "patchtst-v10" and stream["model"]["manifest"]["model_hash"] == "m10"
    assert stream["thresholds"]["manifest"] == {"alpha": None}  # NaN is no JSON
    assert shown["readiness"] == {"scaler_ready": True} and shown["nodes"]["dqvl"]["status"] == "done"
    assert shown["checklist"][0]["title"] == "checkpoints"
    assert (shown["latest"]["label"], shown["results"]) == (LABEL, [LABEL])
    assert shown["history"] == [{"run_id": RUN_ID}] and shown["problems"] == []
    assert shown["run"]["status"] == "stopped"


def test_the_page_is_sent_once_and_then_only_confirmed(site: Site) -> None:
    tag = ask(site, "/api/anomaly").headers["etag"]
    assert ask(site, "/api/anomaly", If_None_Match=tag).status == 304
    folder = site.project.data / "local" / "train" / "fdc"
    folder.mkdir(parents=True)
    for name in ("b.csv", "a.parquet", "notes.txt", ".hidden.csv"):
        (folder / name).write_bytes(b"123")
    again = value(ask(site, "/api/anomaly", If_None_Match=tag))["streams"]["patchtst"]["data"]["train"]
    assert (again["files"], again["bytes"], again["other"], again["kind"]) == (2, 6, 1, "mixed")
    assert [entry["name"] for entry in again["list"]] == ["a.parquet", "b.csv"]


@pytest.mark.parametrize(
    "broken", ["dashboard-state.json", "latest.json", "history/index.json", "quality/fdc.json"]
)
def test_a_broken_file_is_told_and_the_rest_is_there(site: Site, broken: str) -> None:
    (site.project.anomaly_results / broken).write_text("{")
    shown = overview(site)
    (problem,) = shown["problems"]
    assert Path(broken).name in problem and "not valid JSON" in problem
    assert shown["streams"]["patchtst"]["model"]["version"] == "patchtst-v10"


def test_an_unreadable_live_state_is_told_and_nothing_can_be_pressed(site: Site) -> None:
    site.project.live_state.write_text("{")
    shown = overview(site)
    assert shown["run"] is None and shown["can"] == {"train": False, "stop": False, "import": False}
    assert "not valid JSON" in shown["blocked"]


READS = {
    "/api/anomaly/quality/patchtst": "source",
    "/api/anomaly/state": "nodes",
    "/api/anomaly/history": "runs",
    f"/api/anomaly/history/{RUN_ID}": "meta",
    f"/api/anomaly/results/{LABEL}": "streams",
    f"/api/anomaly/results/{LABEL}/checklist": "items",
    f"/api/anomaly/results/{LABEL}/patchtst/events": "records",
    f"/api/anomaly/results/{LABEL}/patchtst/chart": "score",
}


@pytest.mark.parametrize("path", READS)
def test_a_file_is_sent_as_it_was_written_and_then_only_confirmed(site: Site, path: str) -> None:
    answer = ask(site, path)
    assert READS[path] in value(answer)
    assert ask(site, path, If_None_Match=answer.headers["etag"]).status == 304


def test_alarms_come_as_rows(site: Site) -> None:
    path = f"/api/anomaly/results/{LABEL}/patchtst/alarms"
    assert value(ask(site, path)) == {
        "fields": ["start", "end", "channel"],
        "rows": [{"start": "1", "end": "2", "channel": "a, b"}, {"start": "3", "end": "4", "channel": "c"}],
        "total": 2,
    }
    table = site.project.anomaly_results / "runs" / LABEL / "patchtst_alarms.csv"
    table.write_text("a,b\n" + "1,2,3\n" * 2000)
    many = value(ask(site, path))
    assert (many["total"], len(many["rows"]), many["rows"][0]) == (2000, 1000, {"a": "1", "b": "2"})


@pytest.mark.parametrize(
    "path", ["/api/anomaly/quality/patchtst/report", f"/api/anomaly/results/{LABEL}/report"]
)
def test_a_report_is_a_page_in_which_no_script_runs(site: Site, path: str) -> None:
    answer = ask(site, path)
    assert answer.status == 200 and answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "sandbox" in policy and "script-src" not in policy
    assert "allow-" not in policy and "connect-src" not in policy
    assert site.token not in answer.body


@pytest.mark.parametrize("artifact", ARTIFACTS)
def test_an_artifact_is_downloaded_whole_or_said_to_be_missing(site: Site, artifact: str) -> None:
    path = f"/api/anomaly/results/{LABEL}/download/{artifact}"
    head = f"GET {path} HTTP/1.1\r\nHost: localhost:{site.port}\r\n\r\n".encode()
    file = site.project.anomaly_results / "runs" / LABEL / ARTIFACTS[artifact]
    if not file.exists():
        assert talk(site.port, head).status == 404
        return
    with socket.create_connection(("127.0.0.1", site.port), timeout=5) as connection:
        connection.sendall(head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        said = b"".join(iter(lambda: connection.recv(65536), b""))
    told, _, body = said.partition(b"\r\n\r\n")
    assert body == file.read_bytes() and told.startswith(b"HTTP/1.1 200 ")
    assert f'filename="{LABEL}-{file.name}"'.encode() in told


def test_the_head_of_a_download_tells_its_size(site: Site) -> None:
    path = f"/api/anomaly/results/{LABEL}/download/bundle"
    answer = talk(
        site.port, f"HEAD {path} HTTP/1.1\r\nHost: localhost:{site.port}\r\n\r\n".encode(), end=True
    )
    assert (answer.status, answer.headers["content-length"], answer.body) == (200, "700000", "")


def test_a_file_too_large_to_show_is_offered_as_a_download(site: Site) -> None:
    path = site.project.anomaly_results / "runs" / LABEL / "patchtst_events.json"
    with path.open("r+b") as file:
        file.truncate(FILE_LIMIT + 1)
    answer = ask(site, f"/api/anomaly/results/{LABEL}/patchtst/events")
    assert answer.status == 413 and "download it" in answer.body


@pytest.mark.parametrize(
    "path",
    [
        "/api/anomaly/",
        "/api/anomaly/x",
        "/api/anomaly?x=1",
        "/api/anomaly/quality/evil",
        "/api/anomaly/quality/patchtst/x",
        "/api/anomaly/quality/swinmae",
        "/api/anomaly/quality/../latest",
        "/api/anomaly/results/",
        "/api/anomaly/results/..",
        "/api/anomaly/results/.",
        "/api/anomaly/results/none",
        "/api/anomaly/results/link",
        "/api/anomaly/results/link/report",
        "/api/anomaly/results/CON",
        f"/api/anomaly/results/{LABEL}/secret.json",
        f"/api/anomaly/results/{LABEL}/patchtst/secret",
        f"/api/anomaly/results/{LABEL}/evil/events",
        f"/api/anomaly/results/{LABEL}/swinmae/events",
        f"/api/anomaly/results/{LABEL}/swinmae/alarms",
        f"/api/anomaly/results/{LABEL}/download/",
        f"/api/anomaly/results/{LABEL}/download/summary.json",
        f"/api/anomaly/results/{LABEL}/download/evil",
        f"/api/anomaly/results/{LABEL}/download/..%2fsecret",
        f"/api/anomaly/results/{LABEL}/download/swinmae-chart",
        "/api/anomaly/history/index",
        "/api/anomaly/history/none",
        "/api/anomaly/history/..",
        "/api/anomaly/history/link",
        "/api/settings",
        "/api/upload",
        "/api/import/begin",
    ],
)
def test_what_is_not_in_the_map_is_refused_in_words(site: Site, path: str) -> None:
    runs = site.project.anomaly_results / "runs"
    make_link(runs / "link", site.project.root.parent, is_folder=True)
    answer = ask(site, path)
    assert answer.status in (400, 404), answer.body
    assert json.loads(answer.body)["error"]["message"] and "secret" not in answer.body.replace(path, "")


@pytest.mark.parametrize("artifact", ["summary", "report", "bundle"])
def test_a_result_that_is_a_link_is_not_followed(site: Site, artifact: str) -> None:
    path = site.project.anomaly_results / "runs" / LABEL / ARTIFACTS[artifact]
    path.unlink()
    if not make_link(path, site.project.root.parent / "secret.json"):
        pytest.skip("this system makes no symbolic links")
    base = f"/api/anomaly/results/{LABEL}"
    for address in (base, f"{base}/report", f"{base}/download/{artifact}"):
        answer = ask(site, address)
        assert "secret" not in answer.body or address.rpartition("/")[2] != artifact
    assert ask(site, f"{base}/download/{artifact}").status == 404


def keys_of(value: Any) -> set[str]:
    """Name every key below a value; keys that are data (streams, nodes, settings) are left to the caller."""
    if isinstance(value, list):
        return {key for entry in value for key in keys_of(entry)}
    if not isinstance(value, dict):
        return set()
    return set(value).union(*(keys_of(entry) for entry in value.values()))


def test_every_key_address_and_limit_is_in_the_description(site: Site) -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "api_anomaly.md").read_text(encoding="utf-8")
    begin(site, 5)
    shown = overview(site)
    form = value(ask(site, "/api/settings/anomaly"))
    shown.update({"nodes": {}, "readiness": {}, "history": [], "checklist": [], "latest": {}, "run": {}})
    for stream in shown["streams"].values():
        stream.update({"prepared": {}, "model": {}, "thresholds": {}, "quality": {}})
    named = keys_of(shown) | set(form) | keys_of(form["groups"]) | set(form["fields"][0])
    assert sorted(key for key in named if f'"{key}"' not in text) == []
    for action in ACTIONS:
        assert f"/api/{action}" in text
    for artifact in ARTIFACTS:
        assert f"`{artifact.replace('patchtst', '<stream>').replace('swinmae', '<stream>')}`" in text
