"""A new study is one file and one line of the registry; what all studies share is said once."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bm.errors import UserError
from bm.registry import argument_names
from bm.studies import PLACES, STUDIES, build_study, recordings_of
from bm.studies.prepare import Job, prepare

PACKAGE = Path(__file__).resolve().parents[2]
#: Rooms that work for any study. Tables of published results name the data sets of their paper.
ROOMS = ("data", "readers", "features", "studies", "models", "engine", "solvers", "xp")

PIPS = '''
"""Study `pips`: tables of samples, one file a person."""

from pathlib import Path

from bm.data.recording import RecordingId
from bm.readers.event_table import frame
from bm.readers.file_recording import FileRecording
from bm.readers.raw import Reading
from bm.studies import STUDIES
from bm.studies.base import Study


class PipRecording(FileRecording):
    """A pip every second."""

    def read_events(self, raw):
        """One trial a second."""
        row = {"kind": "trial", "duration_s": 1.0}
        rows = [{**row, "start_s": t, "label": t % 2} for t in range(4)]
        return frame(rows)


@STUDIES.register("pips")
class Pips(Study):
    """Pips."""

    name = "pips"
    subject_type = int

    def recordings(self):
        """People in order."""
        return self.present(self._find, f"no table in {self.folder}; make one")

    def _find(self):
        reading = Reading(unit="uV", rate_hz=100.0)
        return [
            PipRecording(RecordingId(self.name, path.stem, "0", "0"), path, reading)
            for path in sorted(self.folder.glob("*.csv"))
            if self.includes(path.stem)
        ]
'''


def test_a_study_is_named_in_its_module_and_the_registry_alone() -> None:
    paths = [path for room in ROOMS for path in (PACKAGE / room).rglob("*.py")]
    registry = PACKAGE / "studies" / "__init__.py"
    for name, module in STUDIES.modules.items():
        if not module.startswith("bm."):
            continue
        if name in ("folder", "simulated", "labram_h5"):  # words of the code as well
            continue
        home = PACKAGE.parent / (module.replace(".", "/") + ".py")
        if not home.exists():  # a study of several files
            home = home.with_suffix("") / "__init__.py"
        assert len(re.findall(rf'"{name}"', registry.read_text())) == 1
        others = [p for p in paths if p not in (home, registry) and f'"{name}"' in p.read_text()]
        assert not others, f"{name} is named in {others}"


def test_a_new_study_is_one_file_and_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pips_study.py").write_text(PIPS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(STUDIES.modules, "pips", "pips_study")
    monkeypatch.setattr(STUDIES, "_items", dict(STUDIES._items))
    entry = {"study": "pips", "subjects": ["02", 3]}
    paths = {"studies": tmp_path, "cache": tmp_path / "cache"}
    with pytest.raises(UserError, match=r"study pips: no table in .*pips; make one"):
        recordings_of([entry], paths)
    (tmp_path / "pips").mkdir()
    for person in range(1, 5):
        signal = 10 * np.random.default_rng(person).standard_normal((400, 3))
        table = pd.DataFrame(signal, columns=["Fz", "Cz", "Pz"])
        table.to_csv(tmp_path / "pips" / f"{person}.csv", index=False)
    recordings, simulated = recordings_of([entry], paths)
    assert [r.id.subject for r in recordings] == ["2", "3"] and not simulated
    summary = prepare(Job([entry], paths, {}), say=lambda _: None)
    assert summary.recordings == 2 and summary.channels == {3} and not summary.bad


@pytest.mark.parametrize("name", STUDIES.names())
def test_options_that_studies_share_are_taken_by_all(name: str) -> None:
    kind = STUDIES.get(name)
    if kind.checks_options or name in ("labram_h5", "noise"):
        return  # no files, or files by pattern
    names = argument_names(kind, PLACES)
    assert "path" in names
    assert ("subjects" in names) == (name not in ("folder", "arrays"))


@pytest.mark.parametrize(
    ("name", "subjects", "message"),
    [
        ("eegmat", "12", r"study eegmat: subjects='12'; use a list of numbers"),
        ("eegmat", ["first"], r"subjects=\['first'\]; use a list of numbers"),
        ("tuab", 7, r"study tuab: subjects=7; use a list of names"),
    ],
)
def test_people_are_a_list(name: str, subjects: object, message: str, tmp_path: Path) -> None:
    paths = {"studies": tmp_path, "cache": tmp_path}
    with pytest.raises(UserError, match=message):
        build_study({"study": name, "subjects": subjects}, paths)


def test_a_path_takes_the_place_of_the_folder_below_the_root(tmp_path: Path) -> None:
    paths = {"studies": tmp_path, "cache": tmp_path}
    assert build_study({"study": "brennan2019"}, paths).folder == tmp_path / "brennan2019/download"
    assert build_study({"study": "eegmat"}, paths).folder == tmp_path / "eegmat"
    for name in ("brennan2019", "eegmat", "tuev"):
        study = build_study({"study": name, "path": str(tmp_path / "here")}, paths)
        assert study.folder == tmp_path / "here"
    relative = build_study({"study": "folder", "path": "mine"}, paths)
    assert relative.folder == tmp_path / "mine"
