"""Wrong inputs, one row each: a line that says what is wrong and what to do, and exit code 2.

A row holds what is typed and a part of the answer. Everything runs in this process: what a shell
does with a refusal is tested with the command line (`bm/tests/xp/test_commands.py`).
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest

from bm.errors import UserError
from bm.predict.predictor import Predictor
from bm.solvers import build
from bm.solvers.build_data import windows_of
from bm.tests.experiments import opened, run
from bm.tests.wrong_words import RESOLVED
from bm.train import main

LONGEST = 400  # characters of an answer, folders of this machine left out


def refusal(call: Callable[[], object]) -> str:
    """Return the answer to a wrong input."""
    with pytest.raises(UserError) as raised:
        call()
    text = str(raised.value)
    assert raised.value.exit_code == 2
    assert text.strip() == text and "\n" not in text and "Traceback" not in text
    assert len(text) < LONGEST, text
    return text


# keys and values ----------------------------------------------------------------------------


@pytest.mark.parametrize(("word", "answer"), RESOLVED, ids=[word for word, _ in RESOLVED])
def test_a_wrong_key_or_value(word: str, answer: str) -> None:
    recipe = [] if word.partition("=")[0] == "solver" else ["solver=supervised/debug"]
    assert answer in refusal(lambda: main.get_xp([*recipe, word]).sig)


GENERATING = [
    ("generate.n=-1", "of at least 0"),
    ("generate.steps=0", "of at least 1"),
    ("generate.sampler=dpmm", "did you mean 'dpm'?"),
]


@pytest.mark.parametrize(("word", "answer"), GENERATING)
def test_a_wrong_value_of_what_generates(word: str, answer: str) -> None:
    assert answer in refusal(lambda: main.get_xp(["solver=eegdiff/debug", word]).sig)


# data and models ----------------------------------------------------------------------------

STUDY = "dset.studies=[{{study: simulated, mode: motor, preset: tiny, n_subjects: 1{}}}]"
TINY = STUDY.format(", n_trials: 8")
LDA, CSP = "solver=baseline/lda", "solver=baseline/csp"
MASKED = "solver=labram/debug_pretrain"
BUILT = [
    (["dset.studies=[]"], "there is none (dset.studies"),
    (["dset.studies=[{}]"], "names no study; use a list of mappings"),
    (["dset.studies=[simulated]"], "'simulated' names no study"),
    (["dset.studies=null"], "dset.studies: there is none"),
    (["solver=supervised/debug", TINY, "model.f1=-4"], "cannot be built with model.f1=-4"),
    (["solver=supervised/debug", TINY, "init_from=//sig/"], "8 hexadecimal digits"),
    (["solver=supervised/debug", TINY, "init_from=/data/model"], "unknown address '/data/model'"),
    (["solver=supervised/debug", TINY, "init_from=//http/x"], "unknown address '//http/x'"),
    (["dset.studies=[{study: simulatd}]"], "did you mean 'simulated'?"),
    (["dset.studies=[{study: zzz}]"], "unknown study 'zzz'; there is: arrays"),
    (["dset.studies=[{study: simulated, mode: moter}]"], "did you mean 'motor'?"),
    (["dset.studies=[{study: simulated, mode: motor, preset: huge}]"], "known: debug, demo"),
    (["dset.studies=[{study: simulated, mode: motor, n_subjects: 0}]"], "from 1 on"),
    (["dset.studies=[{study: simulated, mode: motor, n_subjects: two}]"], "from 1 on"),
    ([STUDY.format(", snr: -1")], "not negative"),
    ([STUDY.format(", snr: loud")], "not negative"),
    ([STUDY.format(", sede: 1")], "did you mean 'seed'?"),
    ([STUDY.format(", n_trials: 0")], "from 1 on"),
    ([STUDY.format(", n_sessions: 0")], "from 1 on"),
    ([STUDY.format(", flat_channels: 99")], "of 22 channels; use fewer"),
    ([STUDY.format(", n_recordings: 0")], "use 1 or more, or null"),
    (["dset.channels=[C3,XX]"], "no channel XX; change dset.channels"),
    (["dset.channels=[]"], "use null, or names"),
    (["dset.channels=[C3,C3]"], "'C3' is named twice"),
    (["dset.channels=comon"], "did you mean 'common'?"),
    (["dset.preprocess=[{step: bandpas}]"], "did you mean 'bandpass'?"),
    (["dset.preprocess=[{step: bandpass, low_hz: 40, high_hz: 4}]"], "swap them"),
    (["dset.preprocess=[{step: bandpass, low_hz: 4, high_hz: 400}]"], "half the rate, 125 Hz"),
    (["dset.preprocess=[{step: bandpass, low: 4}]"], "did you mean 'low_hz'?"),
    (["dset.preprocess=[bandpass]"], "use mappings"),
    (["dset.preprocess=[{low_hz: 4}]"], "does not say which step"),
    (["dset.preprocess=[{step: notch, freqs_hz: [0]}]"], "use a number above 0"),
    (["dset.preprocess=[{step: notch, freqs_hz: 50}]"], "use a list, such as [50.0]"),
    (["dset.preprocess=[{step: crop, start_s: 1000}]"], "does not fit a recording"),
    (["dset.segment.kind=trail"], "did you mean 'trial'?"),
    (["dset.segment.kind=word"], "change dset.segment.kind"),
    (["dset.segment.label=labl"], "did you mean 'label'?"),
    (["dset.segment.offset_s=1000"], "change dset.segment.duration_s or offset_s"),
    (["dset.segment.duration_s=1000"], "change dset.segment.duration_s or offset_s"),
    (["dset.split.key=person"], "known: auto, block"),
    (["dset.split.ratios={train: 0.5, valid: 0.2, test: 0.1}"], "do not sum to 1"),
    (["dset.split.ratios={train: -1, valid: 1, test: 1}"], "use a number from 0 to 1"),
    (["dset.split.ratios={train: all}"], "ratios.train"),
    (["dset.split.fixed={test: {sesion: ['1']}}"], "did you mean 'session'?"),
    (["dset.split.fixed={test: {session: ['9']}}"], "'9' selects nothing; there is: 0, 1"),
    (["dset.split.fixed={tset: {session: ['1']}}"], "did you mean 'test'?"),
    (["dset.scale.kind=minmax"], "known: none, robust"),
    (["dset.scale.clamp=-1"], "use a number above 0"),
    (["dset.bads=delete"], "known: drop, interpolate, keep"),
    (["dset.duplicates=allow"], "known: keep_first, refuse"),
    (["dset.augment=[{step: flip}]"], "known: amplitude"),
    (["dset.augment=[{step: time_shift}]"], "time_shift needs max_s"),
    (["solver.task=class"], "did you mean 'classes'?"),
    (["solver.task=values"], "dset.segment.values"),
    (["init_from=ab12cd34"], "use //sig/ab12cd34"),
    (["init_from=//sig/00000000"], "no experiment 00000000 in"),
    (["init_from=//sig/xyz"], "8 hexadecimal digits"),
    (["init_from=//file/nowhere"], "no saved model"),
    (["init_from=//url/x"], "use //sig/ab12cd34"),
    (["init_from=3"], "quote it for the shell"),
    (["model.name=eegnt"], "did you mean 'eegnet'?"),
    (["model.name=classical"], "use solver=baseline/lda"),
    (["model.target=nothing.Class"], "No module named 'nothing'"),
    (["model.target=os.system"], "name a network"),
    (["model.target=x"], "use package.module.Class"),
    (["+model.f99=1"], "known: model.depth, model.dropout, model.f1"),
    (["model.f1=0"], "EEGNet cannot be built with model.f1=0"),
    (["model.f1=many"], "EEGNet cannot be built with model.f1=many"),
    (["model.dropout=3"], "between 0 and 1"),
    (["model=baselines/conformer", "dset.segment.duration_s=0.1"], "lengthen dset.segment"),
    (["model=labram/small"], "use dset.scale.kind=none"),
    (["model=duin/cls_small"], "change dset.segment.duration_s"),
    (["model=labram/masked_small", "dset.scale.kind=none"], "needs mask, which solver.name="),
    ([LDA, "solver.method=svm"], "unknown solver.method 'svm'"),
    ([LDA, "solver.bands=[]"], "set solver.bands=[[8,30]]"),
    ([LDA, "solver.bands=[[30,8]]"], "the lower end comes first"),
    ([LDA, "solver.bands=[8,30]"], "8 is no band; use pairs of Hz"),
    ([LDA, "solver.bands=[[8,wide]]"], "use pairs of Hz"),
    ([LDA, "solver.bands=[[0.2,0.3]]"], "use wider bands or longer windows"),
    ([LDA, "+solver.features=mean"], "did you mean 'means'?"),
    ([LDA, "+solver.features=means"], "set +solver.stretch_s=0.1"),
    ([LDA, "+solver.features=means", "+solver.stretch_s=99"], "a window 750"),
    ([CSP, "solver.bands=[]"], "set solver.bands=[[8,30]]"),
    ([CSP, "solver.bands=[[8,200]]"], "use another band"),
    ([CSP, "solver.components=0"], "of at least 1"),
    ([MASKED, "solver.target=code"], "did you mean 'codes'?"),
    ([MASKED, "solver.halves=max"], "did you mean 'mean'?"),
    ([MASKED, "solver.mask_ratio=2"], "below 1"),
    (["solver=supervised/folder"], "set the study's `path`"),
    (["solver=supervised/arrays"], "set the study's `path`"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cache, data and outputs of this file."""
    return tmp_path_factory.mktemp("wrong")


@pytest.fixture(autouse=True)
def _places(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, place in (("CACHE", "cache"), ("DATA", "data"), ("OUTPUTS", "outputs")):
        monkeypatch.setenv(f"BM_{name}", str(folder / place))


def built(folder: Path, words: list[str]) -> None:
    """Build data and model of an experiment, as far as it comes before training."""
    if not words[0].startswith("solver="):
        words = ["solver=supervised/debug", *words]
    if not any("dset.studies" in word or word == MASKED for word in words[1:]):
        complete = words[0].endswith(("folder", "arrays")) or words[0] == MASKED
        words = words if complete else [*words, TINY]
    with opened(folder / "outputs", *words) as xp:
        solver: Any = build(xp.cfg)
        solver.data = solver.build_data()
        solver.model = solver.build_model(solver.data.facts)
        if xp.cfg.init_from is not None:
            solver.folder_of(xp.cfg.init_from)
        if not solver.stepped:
            solver.evaluate("test")


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize(("words", "answer"), BUILT, ids=[" ".join(w) for w, _ in BUILT])
def test_wrong_data_or_model(folder: Path, words: list[str], answer: str) -> None:
    assert answer in refusal(lambda: built(folder, words))


# scripts ------------------------------------------------------------------------------------

SCRIPTS = [
    ("predict", "which model and recording? use: sig="),
    ("predict path=day.edf", "which model and recording?"),
    ("predict sig=ab12cd34", "which model and recording?"),
    ("predict model=/nowhere path=day.edf", "'/nowhere': no such folder"),
    ("experiments states=done", "did you mean 'state'?"),
    ("diff ab12cd34", "which two?"),
    ("remove", "which? use sigs="),
    ("predict sig=ab12cd34 model=x path=y", "which model and recording?"),
    ("predict sig=ab12cd34 path=day.edf", "run it first"),
    ("predict sig=xyz path=day.edf", "8 hexadecimal digits"),
    ("predict model=nowhere path=day.edf", "no saved model in nowhere"),
    ("predict model=damaged path=day.edf", "restore it or save it again"),
    ("predict model=stranger path=day.edf", "unknown model 'nothing'"),
    ("predict model=code path=day.edf", "trust_target=true"),
    ("predict model=code path=day.edf device=tpu", "use auto, cpu or cuda"),
    ("predict modle=x", "did you mean 'model'?"),
    ("run_eval", "use grid=demo.main or sigs="),
    ("run_eval grid=demo.man", "did you mean 'demo.main'?"),
    ("run_eval grid=demo", "choose demo.families or demo.first"),
    ("run_eval grid=zzzzzz", "unknown grid 'zzzzzz'"),
    ("run_eval sigs=[00000000]", "no experiment '00000000'"),
    ("run_eval 00000000", "no experiment '00000000'"),
    ("run_eval sigs=xyz", "no experiment 'xyz'"),
    ("run_eval grid=demo.main sigs=[00000000]", "which experiments?"),
    ("run_eval grid=demo.main again=maybe", "use true or false"),
    ("run_eval grids=demo.main", "did you mean 'grid'?"),
    ("run_eval demo", "unknown argument 'demo'"),
    ("make_tables", "which grid?"),
    ("make_tables grid=demo.nothing", "unknown grid"),
    ("make_tables metrics=accuracy", "did you mean 'metric'?"),
    ("make_tables sigs=[]", "sigs=[] names no experiment"),
    ("make_tables sigs=[00000000]", "no experiment '00000000'"),
    ("make_report", "which grid?"),
    ("make_report grid=demo.nothing", "unknown grid"),
    ("make_report sig=00000000", "unknown argument 'sig=00000000'"),
    ("verify", "verify what?"),
    ("verify grid=nothing", "unknown grid"),
    ("verify grid=demo.main sample=many", "sample=many: not a number"),
    ("verify sigs=[00000000]", "no experiment '00000000'"),
    ("diff", "which two?"),
    ("diff 00000000", "which two?"),
    ("diff 00000000 11111111", "no experiment '00000000'"),
    ("remove", "which? use sigs="),
    ("remove sigs=[00000000]", "no experiment '00000000'"),
    ("remove state=old", "known: done, new"),
    ("experiments state=undone", "did you mean 'done'?"),
    ("experiments younger_days=soon", "younger_days=soon"),
    ("experiments grid=nothing", "run one, or say where with BM_OUTPUTS"),
    ("export", "which model, and where to?"),
    ("export sig=00000000", "which model, and where to?"),
    ("export sig=00000000 out=x", "no experiment '00000000'"),
    ("extract", "where to? use out=tokens.h5"),
    ("extract out=x.h5", "which model?"),
    ("extract out=x.h5 sig=00000000", "run it first"),
    ("extract out=x.h5 study=folder dset=folder", "not both"),
    ("denoise", "which model?"),
    ("denoise sig=12", "8 hexadecimal digits"),
    ("audit", "audit what?"),
    ("audit sig=00000000", "no experiment '00000000'"),
    ("audit dset=nothing", "your own recordings: dset=folder"),
    ("generate", "which model?"),
    ("generate sig=00000000", "run it first"),
    ("generate sig=00000000 n=many", "n=many: not a number"),
    ("prepare", "which recordings?"),
    ("prepare study=nothing", "unknown study 'nothing'; "),
    ("prepare study=folder", "set the study's `path`"),
    ("prepare study=folder path=nowhere", "unknown key 'path'"),
    ("prepare jobs=many study=simulated", "jobs=many: not a number"),
    ("prepare jobs=0 study=simulated", "at least one is needed"),
    ("import_checkpoint", "which file?"),
    ("import_checkpoint family=bert path=x.pth", "known: clip, duin"),
    ("import_checkpoint family=labram path=nowhere.pth", "no such file"),
    ("import_checkpoint family=labram path=text.pth", "not a checkpoint of torch"),
    ("join_parts", "which archive?"),
    ("join_parts path=nowhere.part1", "no piece of an archive"),
    ("cut_clips", "where to?"),
    ("cut_clips out=x", "which recordings?"),
    ("grid_state", "which grid?"),
    ("grid_state nothing", "unknown grid 'nothing'"),
    ("encode_condition", "which sentences?"),
    ("encode_condition texts=nowhere.txt", "give a text file"),
    ("arrow_maps", "use from=FOLDER to=FILE.h5"),
    ("arrow_maps source=nowhere to=x.h5", "name the folder with dataset_dict.json"),
    ("demo grid=nothing", "unknown grid 'nothing'"),
    ("check_golden nowhere", "no golden case below nowhere"),
    ("bench nothing", "known: checkpoint, data"),
]


@pytest.fixture
def desk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder in which somebody types, with models that cannot be opened."""
    place = folder / "desk"
    configs = {
        "damaged": "{",
        "stranger": '{"name": "nothing", "target": null, "arguments": {}}',
        "code": '{"name": null, "target": "os.system", "arguments": {}}',
    }
    for name, text in configs.items():
        (place / name).mkdir(parents=True, exist_ok=True)
        (place / name / "config.json").write_text(text)
    (place / "text.pth").write_bytes(b"abc")
    monkeypatch.chdir(place)
    monkeypatch.setattr(main.dora, "dir", folder / "nothing_here")
    return place


@pytest.mark.parametrize(("line", "answer"), SCRIPTS, ids=[line for line, _ in SCRIPTS])
@pytest.mark.usefixtures("desk")
def test_a_wrong_argument_of_a_script(
    line: str,
    answer: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name, *words = line.split()
    monkeypatch.setattr(sys, "argv", [f"scripts/{name}.py", *words])
    # as `python -m scripts.NAME`; the module itself is imported by the tests of its own
    monkeypatch.delitem(sys.modules, f"scripts.{name}", raising=False)
    with pytest.raises(SystemExit) as raised:
        runpy.run_module(f"scripts.{name}", run_name="__main__")
    assert raised.value.code == 2
    text = capsys.readouterr().err
    assert text.count("\n") == 1 and text.startswith(("error: ", "use: ")), text
    assert answer in text


# folders and arrays -------------------------------------------------------------------------

FOLDERS = [
    ("path: nowhere", "no folder"),
    ("path: empty", "no recording in"),
    ("path: text", "no recording in"),
    ("path: damaged", "fetch or export it again"),
    ("path: nothing_in_it", "empty file"),
    ("path: 3", "use the text of a folder"),
    ("path: null", "use the text of a folder"),
    ("path: good, labels: {T3: x}", "no event is labelled T3 (labels: T1, T2)"),
    ("path: good, labels: []", "use a mapping, such as {T1: left}"),
    ("path: good, labels: T1", "use a mapping"),
    ("path: good, lables: {T1: x}", "did you mean 'labels'?"),
    ("path: good, kind: egg", "did you mean 'meg'?"),
    ("path: good, kind: meg", "no meg channel (it has 3 eeg)"),
    ("path: good, montage: standard", "unknown montage 'standard'"),
    ("path: good, pattern: '('", "unterminated subpattern"),
    ("path: good, pattern: 'x(?P<subject>q)'", "`pattern` does not fit"),
    ("path: good, events: tsv", "no events.tsv beside it"),
    ("path: good, events: triggers", "known: annotations"),
    ("path: good, stim: STI", "no channel STI; change `stim`"),
    ("path: good, types: {C3: egg}", "did you mean 'eog'?"),
    ("path: good, types: eeg", "use a mapping"),
    ("path: good, exclude: C3", "use a list"),
    ("path: good, unit: inch", "known: T, V"),
    ("path: good, rate_hz: 0", "use a number above 0"),
    ("path: good, n_recordings: 0", "use 1 or more, or null"),
    ("path: good, reader: x", "unknown option 'reader'"),
    ("path: headless", "no column 'onset'"),
    ("path: words", "row 2: the onset is soon"),
    ("path: early", "outside the recording of 30.0 s"),
    ("path: late", "outside the recording of 30.0 s"),
    ("path: table, rate_hz: 100", "give the study's `rate_hz` and `unit`"),
    ("path: table, unit: uV", "no recording in"),
]
ARRAYS = [
    ("path: nowhere", "set the study's `path`"),
    ("path: empty", "no file of trials in"),
    ("path: trials", "give the study's `rate_hz`"),
    ("path: trials, rate_hz: 100", "give `unit`: V, mV"),
    ("path: trials, unit: uV", "give the study's `rate_hz`"),
    ("path: trials, rate_hz: 0, unit: uV", "use a number above 0"),
    ("path: trials, rate_hz: 100, unit: inch", "unknown unit 'inch'"),
    ("path: unlabelled, rate_hz: 100, unit: uV", "no labels (it has x (20, 3, 100))"),
    ("path: few, rate_hz: 100, unit: uV", "5 labels for 20 trials"),
    ("path: flat, rate_hz: 100, unit: uV", "(100,) is 1-D"),
    ("path: gaps, rate_hz: 100, unit: uV", "is not a number"),
    ("path: objects, rate_hz: 100, unit: uV", "holds objects"),
    ("path: trials, rate_hz: 100, unit: uV, axes: [a, b, c]", "use trials, channels, samples"),
    ("path: trials, rate_hz: 100, unit: uV, channels: [C3]", "1 names for 3 channels"),
    ("path: trials, rate_hz: 100, unit: uV, signal: q", "no array 'q'; known: x, y"),
    ("path: trials, rate_hz: 100, unit: uV, labels: q", "use a mapping"),
    ("path: trials, rate_hz: 100, unit: uV, kind: egg", "did you mean 'meg'?"),
]


def write_folders(data: Path) -> None:
    """Write folders of recordings, of which `good` alone can be read."""
    noise = np.random.default_rng(0).standard_normal((3, 3000)) * 2e-5
    raw = mne.io.RawArray(noise, mne.create_info(["C3", "Cz", "C4"], 100.0, "eeg"), verbose="error")
    raw.set_annotations(mne.Annotations(np.arange(2, 28, 2), 0.5, [*["T1", "T2"] * 6, "T1"]))
    files = {
        "text/x.txt": b"hello",
        "damaged/x.edf": b"0" * 300,
        "nothing_in_it/x.edf": b"",
        "table/a.csv": b"C3,Cz\n1,2\n",
        "headless/a_raw_events.tsv": b"when\twhat\n1\tx\n",
        "words/a_raw_events.tsv": b"onset\tduration\tlabel\nsoon\t1\tx\n",
        "early/a_raw_events.tsv": b"onset\tduration\tlabel\n-5\t1\tx\n",
        "late/a_raw_events.tsv": b"onset\tduration\tlabel\n500\t1\tx\n",
    }
    for name, content in files.items():
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_bytes(content)
    for name in ("good", "headless", "words", "early", "late"):
        (data / name).mkdir(exist_ok=True)
        raw.save(data / name / "a_raw.fif", verbose="error")
    (data / "empty").mkdir()


def write_arrays(data: Path) -> None:
    """Write folders of trials, of which `trials` alone can be read."""
    x, y = np.random.default_rng(0).standard_normal((20, 3, 100)), np.arange(20) % 2
    arrays: dict[str, dict[str, Any]] = {
        "trials": {"x": x, "y": y},
        "unlabelled": {"x": x},
        "few": {"x": x, "y": y[:5]},
        "flat": {"x": x[0, 0], "y": y},
        "gaps": {"x": np.where(x > 2, np.nan, x), "y": y},
        "objects": {"x": np.array([{}], dtype=object), "y": y},
    }
    for name, content in arrays.items():
        (data / name).mkdir(parents=True)
        np.savez(data / name / "s1.npz", **content)


@pytest.fixture(scope="module")
def data(folder: Path) -> Path:
    """Folders of recordings and of trials."""
    place = folder / "data"
    write_folders(place)
    write_arrays(place)
    return place


OWN = [*(("folder", *row) for row in FOLDERS), *(("arrays", *row) for row in ARRAYS)]


@pytest.mark.parametrize(("study", "entry", "answer"), OWN, ids=[f"{s} {e}" for s, e, _ in OWN])
@pytest.mark.usefixtures("data")
def test_a_wrong_folder(study: str, entry: str, answer: str) -> None:
    words = [f"solver=supervised/{study}", f"dset.studies=[{{study: {study}, {entry}}}]"]
    assert answer in refusal(lambda: windows_of(main.get_xp(words).cfg))


# predictions --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def predictor(folder: Path) -> Predictor:
    """LDA of one simulated person: 22 channels, windows of 3 s at 250 Hz."""
    solver = run(folder / "lda", LDA, STUDY.format(", n_trials: 16"), "log.figures=false")
    return Predictor.from_pretrained(solver.folder)


X = np.random.default_rng(0).standard_normal((2, 22, 750))
UV: dict[str, Any] = {"sfreq": 250, "unit": "uV"}
PREDICTIONS: dict[str, tuple[Any, dict[str, Any], str]] = {
    "no unit": (X, {"sfreq": 250}, "give unit='V'"),
    "no rate": (X, {"unit": "uV"}, "give sfreq= in Hz (the model's is 250)"),
    "unit": (X, {"sfreq": 250, "unit": "inch"}, "use one of V, mV, uV"),
    "rate": (X, {"sfreq": 0, "unit": "uV"}, "use a rate above 0 in Hz"),
    "length": (X[..., :700], UV, "windows of 700 samples"),
    "channels": (X[:, :5], UV, "the array has 5 channels, the model has 22"),
    "strange names": (X, {**UV, "ch_names": [f"a{i}" for i in range(22)]}, "are missing: Fz"),
    "one name twice": (X, {**UV, "ch_names": ["C3"] * 22}, "'C3' twice"),
    "few names": (X, {**UV, "ch_names": ["C3"]}, "ch_names has 1"),
    "no numbers": (np.full_like(X, np.nan), UV, "holds NaN or inf"),
    "one dimension": (X[0, 0], UV, "give (channels, samples)"),
    "four dimensions": (X[None], UV, "give (channels, samples)"),
    "complex": (X + 1j, UV, "of numbers, a Raw or Epochs"),
    "a file name": ("x.edf", UV, "a Raw or Epochs"),
    "none": (None, UV, "a Raw or Epochs"),
    "no window": (X[:0], UV, "there is no window in it"),
    "a stranger": (X, {**UV, "subject": "nobody"}, "the model knows"),
    "output": (X, {**UV, "output": "probs"}, "did you mean 'probabilities'?"),
    "tokens": (X, {**UV, "output": "tokens"}, "use a model of LaBraM"),
    "a mistyped word": (X, {**UV, "strde_s": 1}, "did you mean 'stride_s'?"),
    "windows of windows": (X, {**UV, "starts_s": [0]}, "begin where they begin"),
    "no batch": (X, {**UV, "batch_size": 0}, "use 1 or more"),
    "outside": (X[0], {**UV, "starts_s": [100.0]}, "reaches outside"),
    "two places": (X[0], {**UV, "starts_s": [0.0], "stride_s": 1.0}, "give one of them"),
    "no stride": (X[0], {**UV, "stride_s": 0}, "use seconds above 0"),
    "recording": (X[0], {**UV, "recording": "x"}, "no statistics of it"),
    "too short": (X[0, :, :200], UV, "no window of 3 s in 0.8 s"),
    "no onsets": (X[0], {**UV, "onsets_s": []}, "no window"),
    "values of another unit": (X[0] * 1e6, {"sfreq": 250, "unit": "V"}, "which no EEG does"),
}


@pytest.mark.parametrize("name", PREDICTIONS)
def test_a_wrong_prediction(predictor: Predictor, name: str) -> None:
    values, options, answer = PREDICTIONS[name]
    assert answer in refusal(lambda: predictor.predict(values, **options))


@pytest.mark.parametrize("source", ["nowhere", "//sig/xx", "//sig/00000000", "//other/x"])
def test_a_wrong_source(source: str) -> None:
    refusal(lambda: Predictor.from_pretrained(source))


def test_there_are_enough() -> None:
    tables = (RESOLVED, GENERATING, BUILT, SCRIPTS, OWN, PREDICTIONS)
    assert sum(map(len, tables)) >= 200
