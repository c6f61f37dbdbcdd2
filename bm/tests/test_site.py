"""The site of the documentation is built without a network; a broken link is an error."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bm.tests.shared_data import ROOT

#: What a page would fetch when it is read: sheets, scripts, fonts, pictures.
FETCHED = re.compile(r"""<(?:link|script|img|iframe)\b[^>]*(?:src|href)="(https?://[^"]+)""")
ADDRESSES = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    """Build the site of the working tree into a folder, with every way to the network closed."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(folder)]
    environment = {**os.environ, **ADDRESSES, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.mark.endurance
def test_the_site_is_built_and_fetches_nothing(tmp_path: Path) -> None:
    process = build(tmp_path / "site")
    assert process.returncode == 0, process.stderr
    pages = list((tmp_path / "site").glob("*.html"))
    assert len(pages) > 20
    for page in pages:
        fetched = FETCHED.findall(page.read_text(encoding="utf-8"))
        assert not fetched, f"{page.name}: {fetched[0]}"
    api = (tmp_path / "site/api.html").read_text(encoding="utf-8")
    assert "from_pretrained" in api and "Raises:" in api


@pytest.mark.endurance
def test_a_broken_link_is_an_error(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "index.md").write_text("[gone](gone.md)\n")
    config = (ROOT / "mkdocs.yml").read_text().split("nav:\n  - Begin")[0]
    (tmp_path / "mkdocs.yml").write_text(config)
    process = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "-f", str(tmp_path / "mkdocs.yml")],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert process.returncode != 0 and "gone.md" in process.stderr


def test_every_page_is_in_the_navigation() -> None:
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    listed = [page for section in config["nav"] for pages in section.values() for page in pages]
    assert sorted(listed) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))
