"""Small files of an experiment that are cut short: one line, and what can go on does."""

from __future__ import annotations

from pathlib import Path

import pytest

from bm.errors import UserError
from bm.tests.experiments import opened
from bm.train import main
from bm.xp import guard, marker
from bm.xp.files import DamagedFileError, read_evaluation, read_history, read_json, read_or_warn
from bm.xp.queue import Queue

CUT = ["", "{", "[", "\x00\x00", "3", '"text"']


@pytest.mark.parametrize("text", CUT)
def test_a_damaged_file_is_named(tmp_path: Path, text: str, caplog) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    for read in (read_json, read_history):
        with pytest.raises(DamagedFileError, match=r"x.json: damaged \("):
            read(path)
    assert read_or_warn(path) is None and "x.json: damaged" in caplog.text
    assert read_or_warn(tmp_path / "absent.json") is None
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(DamagedFileError):
        read_json(path)
    (tmp_path / "folder.json").mkdir()
    assert read_or_warn(tmp_path / "folder.json") is None and "a folder of this" in caplog.text


@pytest.mark.parametrize("text", [*CUT, "{}", '{"metrics": {}}', '{"metrics": 1, "chance": {}}'])
def test_a_damaged_evaluation_is_none(tmp_path: Path, text: str, caplog) -> None:
    path = tmp_path / "metrics.json"
    path.write_text(text)
    assert read_evaluation(path) is None and "metrics.json: damaged" in caplog.text
    path.write_text('{"metrics": {"accuracy": 1.0}, "chance": {}}')
    assert read_evaluation(path) == {"metrics": {"accuracy": 1.0}, "chance": {}}


@pytest.mark.parametrize("text", [*CUT, "{}", '{"config": []}', '{"versions": 3}'])
def test_tables_and_differences_go_on_beside_a_damaged_guard(
    tmp_path: Path, text: str, caplog
) -> None:
    (tmp_path / guard.NAME).write_text(text)
    assert guard.guard_of(tmp_path) == {} and (text == "{}" or "guard.json" in caplog.text)
    with pytest.raises(DamagedFileError, match=r"guard\.json: damaged"):
        guard.read_guard(tmp_path)
    (tmp_path / guard.NAME).unlink()
    assert guard.guard_of(tmp_path) == {} and guard.read_guard(tmp_path) is None


@pytest.mark.parametrize("text", [*CUT, "{}", '{"config": {}}'])
def test_a_damaged_guard_stops_unless_it_may_change(tmp_path: Path, text: str) -> None:
    guard.check(tmp_path, {"a": 1}, "data")
    (tmp_path / guard.NAME).write_text(text)
    with pytest.raises(UserError, match=r"guard.json: damaged .*allow_change=true"):
        guard.check(tmp_path, {"a": 1}, "data")
    guard.check(tmp_path, {"a": 1}, "data", allow_change=True)
    guard.check(tmp_path, {"a": 1}, "data")


@pytest.mark.parametrize("text", CUT)
def test_a_damaged_marker_is_no_end(tmp_path: Path, text: str) -> None:
    marker.write(tmp_path, {"epoch": 1})
    assert marker.exists(tmp_path)
    (tmp_path / marker.NAME).write_text(text)
    assert not marker.exists(tmp_path)


@pytest.mark.parametrize("text", [*CUT, "{}"])
def test_the_queue_goes_on_beside_a_damaged_file(tmp_path: Path, text: str) -> None:
    queue, names = Queue(tmp_path), ("counter.json", "runner.json", "L000001.json")
    values = {"sig": "ab12cd34", "folder": "x", "log": "JOB", "upstream": []}
    assert [queue.add(values) for _ in range(2)] == ["L000001", "L000002"]
    for name in names:
        (tmp_path / name).write_text(text)
    assert not queue.runner_alive()
    assert queue.add(values) == "L000003"
    assert [record["job_id"] for record in queue.records()] == ["L000002", "L000003"]
    assert queue.state("L000001") == "NODE_FAIL"
    queue.cancel(["L000001", "L000002"])


@pytest.mark.parametrize("text", [*CUT, "{}", "[1]"])
def test_damaged_arguments_are_one_line(tmp_path: Path, text: str) -> None:
    with opened(tmp_path, "seed=3") as xp:
        (xp.folder / ".argv.json").write_text(text)
        with pytest.raises(UserError, match=r"\.argv\.json: damaged"):
            main.argv_of(xp.sig)


@pytest.mark.parametrize("text", [*CUT, "[1]"])
def test_dora_reads_a_damaged_history_as_none(tmp_path: Path, text: str, caplog) -> None:
    """Symptom: the table of a grid, `dora info` and HiPlot ended for one damaged row."""
    with opened(tmp_path, "seed=3") as xp:
        (xp.folder / "history.json").write_text(text)
        assert main.get_xp_history(xp) == []
    assert "history.json: damaged" in caplog.text
