"""Fetching files of a study from a server: whole, once, checked, under a lock."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from bm.errors import UserError
from bm.readers.download import fetch, one_at_a_time, unpack, unpack_into


class Server(BaseHTTPRequestHandler):
    """Gives `/NAME`; `/cut` promises more than it sends."""

    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path == "/gone":
            return self.send_error(404)
        body = b"12345"
        name = {"/record": "fetched.json", "/hidden": ".download.lock", "/up": "../up.mat"}
        wrong = self.path == "/wrong"
        self.send_response(200)
        self.send_header("Content-Length", str(9 if self.path == "/cut" else len(body)))
        filename = name.get(self.path, "S01.mat")
        self.send_header("Content-Disposition", f'attachment; filename="{filename}"')
        if self.path in ("/right", "/wrong"):
            digest = hashlib.sha256(b"other" if wrong else body).digest()
            self.send_header("Digest", f"SHA-256={base64.b64encode(digest).decode()}")
        self.end_headers()
        self.wfile.write(body)
        return None

    def log_message(self, *args: object) -> None:
        """Write nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    Server.asked = []
    http = HTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    thread.join()


def test_a_file_is_named_by_the_server_and_fetched_once(server: str, tmp_path: Path) -> None:
    path = fetch(f"{server}/x", tmp_path)
    assert path == tmp_path / "S01.mat" and path.read_bytes() == b"12345"
    assert fetch(f"{server}/x", tmp_path) == path
    assert Server.asked == ["/x"]
    path.write_bytes(b"1")
    assert fetch(f"{server}/x", tmp_path).read_bytes() == b"12345" and len(Server.asked) == 2


@pytest.mark.parametrize("content", ["", '{"S01.mat": ', "[]", '{"S01.mat": 3}', "\x00\x00"])
def test_a_damaged_record_is_written_again(
    server: str, tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    fetch(f"{server}/x", tmp_path)
    (tmp_path / "fetched.json").write_text(content)
    assert fetch(f"{server}/x", tmp_path).read_bytes() == b"12345"
    assert "fetched.json is damaged" in caplog.text
    assert json.loads((tmp_path / "fetched.json").read_text())["S01.mat"]["size"] == 5


@pytest.mark.parametrize(("name", "message"), [("cut", "of 9"), ("gone", "cannot be fetched")])
def test_what_did_not_come_whole_is_not_there(
    server: str, tmp_path: Path, name: str, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        fetch(f"{server}/{name}", tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == []


def test_processes_fetch_one_after_the_other(server: str, tmp_path: Path) -> None:
    def work() -> None:
        with one_at_a_time(tmp_path):
            fetch(f"{server}/x", tmp_path)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Server.asked == ["/x"]


def test_archives_are_unpacked_within_their_folder(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("proc/S01.mat", b"1")
        file.writestr("__MACOSX/proc/S01.mat", b"2")
    unpack(tmp_path / "a.zip", tmp_path)
    assert (tmp_path / "proc/S01.mat").read_bytes() == b"1"
    assert not (tmp_path / "__MACOSX").exists()
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as file:
        file.writestr("../evil", b"1")
    with pytest.raises(UserError, match="leads out"):
        unpack(tmp_path / "b.zip", tmp_path / "x")
    (tmp_path / "c.zip").write_bytes((tmp_path / "a.zip").read_bytes()[:40])
    with pytest.raises(UserError, match="damaged"):
        unpack(tmp_path / "c.zip", tmp_path)


def test_a_server_never_names_a_file_of_ours(server: str, tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    for path in ("record", "hidden"):
        with pytest.raises(UserError, match="the server calls its file"):
            fetch(f"{server}/{path}", tmp_path / "study")
    assert fetch(f"{server}/up", tmp_path / "study") == tmp_path / "study/up.mat"
    assert not (tmp_path / "up.mat").exists()


def test_a_download_is_compared_with_what_is_published(server: str, tmp_path: Path) -> None:
    md5 = "md5:" + hashlib.md5(b"12345").hexdigest()
    sha = "sha256:" + hashlib.sha256(b"12345").hexdigest()
    for name, url, checksum, published in (
        ("a", "x", None, None),
        ("b", "x?b", md5, md5),
        ("c", "right", None, sha),
    ):
        fetch(f"{server}/{url}", tmp_path, name, checksum)
        record = json.loads((tmp_path / "fetched.json").read_text())
        assert record[name]["published"] == published
    for url, checksum in (("y", "md5:" + 32 * "0"), ("wrong", None)):
        with pytest.raises(UserError, match="not what was published"):
            fetch(f"{server}/{url}", tmp_path, "d", checksum)
    assert not (tmp_path / "d").exists() and not list(tmp_path.glob(".*part"))


def test_nothing_of_an_archive_ends_beside_its_folder(tmp_path: Path) -> None:
    """Symptom: a second name in the zip was written into the folder above."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("proc/S01.mat", b"1")
        file.writestr("participants.tsv", b"2")
    unpack_into(tmp_path / "a.zip", tmp_path / "study" / "proc")
    assert [p.name for p in (tmp_path / "study").iterdir()] == ["proc"]
    names = {p.name for p in (tmp_path / "study/proc").iterdir()}
    assert names == {"S01.mat", "participants.tsv"}
    for evil in ("proc/../../evil", "/tmp/evil", "../evil"):
        with zipfile.ZipFile(tmp_path / "b.zip", "w") as file:
            file.writestr("proc/S01.mat", b"1")
            file.writestr(evil, b"2")
        with pytest.raises(UserError, match="leads out"):
            unpack_into(tmp_path / "b.zip", tmp_path / "other" / "proc")
