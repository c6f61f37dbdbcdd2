"""Features of frozen networks: the model's own forward pass, whatever the batches; the file."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import torch

from bm.eval.tokens import extract as room
from bm.eval.tokens.extract import Options, TokenModel
from bm.eval.tokens.file import token_file
from bm.facts import DataFacts
from bm.models import build_model, load, save
from bm.tests.models.labram import write
from bm.tests.readers.edf_files import write_edf
from bm.tests.shared_data import DATA, needs
from bm.train import main
from bm.xp import marker
from scripts import import_checkpoint
from scripts._arguments import main_of
from scripts.extract import Request, extraction

from ...shipped import section

FACTS = DataFacts(("CZ", "PZ"), 200.0, 400, classes=("a", "b"), preprocess=())
CAPS = {"one": ["EEG C3-REF", "EEG CZ-REF", "EEG C4-REF"], "two": ["EEG O1-REF", "EEG FP2-REF"]}
SECONDS = {"one": 37, "two": 9}


def run(*words: str) -> int:
    """Run `python -m scripts.extract ...`."""
    changes = [w for w in words if w.startswith("dset.")]
    arguments = [w for w in words if w not in changes]
    return main_of(extraction, [*arguments, "device=cpu"], Request, words=changes)


def saved(folder: Path, name: str, facts: DataFacts = FACTS, **changes) -> Path:
    """A small network with drawn weights, started where it has a codebook."""
    config = {**section("model", f"labram/{name}"), **changes}
    torch.manual_seed(0)
    model = build_model(config, facts)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    if name.startswith("vqnsp"):
        model(30 * torch.randn(8, len(facts.channels), 800))
    save(model, folder / name, facts)
    return folder / name


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A folder of two caps, a model of each kind, and outputs of their own."""
    folder = tmp_path_factory.mktemp("tokens")
    rng = np.random.default_rng(0)
    for cap, names in CAPS.items():
        data = rng.normal(0, 30, (len(names), 200 * SECONDS[cap]))
        write_edf(folder / "mine" / f"{cap}.edf", names, data, 200)
    models = {n: saved(folder, n) for n in ("small", "masked_small", "vqnsp_small")}
    return SimpleNamespace(folder=folder, mine=folder / "mine", **models)


@pytest.fixture(autouse=True)
def use_outputs(home: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main.dora, "dir", str(home.folder / "outputs"))


def mine(home: SimpleNamespace, model: str, out: Path, *words: str) -> int:
    folder = getattr(home, model)
    return run(f"model={folder}", "study=folder", f"path={home.mine}", f"out={out}", *words)


def windows_of(home: SimpleNamespace, cap: str, length: int) -> tuple[list[str], torch.Tensor]:
    """Names and windows (N, C, T) of a cap, read anew from its file."""
    import mne

    raw = mne.io.read_raw_edf(home.mine / f"{cap}.edf", preload=True, verbose="error")
    names = [name.removeprefix("EEG ").removesuffix("-REF") for name in raw.ch_names]
    data = torch.from_numpy((1e6 * raw.get_data()).astype(np.float32))
    return names, torch.stack(list(data.split(length, 1))[: data.shape[1] // length])


@pytest.mark.parametrize("name", ["small", "masked_small", "vqnsp_small"])
def test_features_are_the_models_own(home: SimpleNamespace, name: str, tmp_path: Path) -> None:
    assert mine(home, name, tmp_path / "all.h5") == 0
    assert mine(home, name, tmp_path / "few.h5", "batch_size=1") == 0
    kind = "codes" if name == "vqnsp_small" else "tokens"
    with h5py.File(tmp_path / "all.h5") as every, h5py.File(tmp_path / "few.h5") as few:
        assert every.attrs["kind"] == kind and set(every) == {
            "mine_one_0_one.edf",
            "mine_two_0_two.edf",
        }
        for cap in CAPS:
            group = every[f"mine_{cap}_0_{cap}.edf"]
            length = 200 * min(16, SECONDS[cap])  # 256 tokens would allow more
            names, windows = windows_of(home, cap, length)
            assert [n.upper() for n in group.attrs["channels"]] == names
            model = load(getattr(home, name), channel_names=names).eval()
            with torch.no_grad():
                if kind == "codes":
                    wanted = model(windows).indices.view(len(windows), len(names), -1)
                else:
                    net = getattr(model, "student", model)
                    tokens, shape = net.patches(windows / 100)
                    norm = net.norm if name == "masked_small" else net.fc_norm
                    wanted = norm(net.encode(tokens, shape)[:, 1:]).unflatten(1, shape)
            stored = group[kind]
            assert stored.dtype == ("<i4" if kind == "codes" else "<f4")
            assert stored.shape[:3] == (SECONDS[cap] // (length // 200), len(names), length // 200)
            exact = 1e-6 * float(wanted.abs().max())  # of float32, whatever is added first
            np.testing.assert_allclose(stored[()], wanted.numpy(), rtol=0, atol=exact)
            other = few[group.name][kind][()]
            np.testing.assert_allclose(other, stored[()], rtol=0, atol=exact)
            assert group["start_s"][()].tolist() == [i * length / 200 for i in range(len(windows))]


def test_layers_and_pooling(home: SimpleNamespace, tmp_path: Path) -> None:
    names, windows = windows_of(home, "one", 800)
    model = load(home.small, channel_names=names).eval()
    tokens = {}
    for words in (["layer=0"], ["layer=2"], ["layer=1", "pool=mean"], ["pool=mean"]):
        assert mine(home, "small", tmp_path / "a.h5", "window_s=4", *words) == 0
        with h5py.File(tmp_path / "a.h5") as file:
            tokens[" ".join(words)] = torch.from_numpy(file["mine_one_0_one.edf/tokens"][()])
    with torch.no_grad():
        embedded = model.embed(*model.patches(windows / 100), None)[:, 1:].unflatten(1, (3, 4))
        torch.testing.assert_close(tokens["layer=0"], embedded)
        whole = model.fc_norm(tokens["layer=2"])
        torch.testing.assert_close(whole, model.tokens(windows), atol=1e-5, rtol=1e-5)
        # what the head sees, so that the head on top of it is the classifier
        decided = model.head(tokens["pool=mean"])
        torch.testing.assert_close(decided, model(windows), atol=1e-6, rtol=1e-5)
        assert tokens["layer=1 pool=mean"].shape == (9, 100)
        middle = model.tokens(windows, layer=1)
        torch.testing.assert_close(tokens["layer=1 pool=mean"], middle.mean((1, 2)))


def test_windows_of_an_experiment_keep_labels_and_splits(
    home: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    xp = main.get_xp(["solver=labram/debug", "dset.studies.0.n_subjects=6", "dset.split.seed=4"])
    main.init_xp(xp)
    saved(xp.folder, "small", FACTS)
    (xp.folder / "small").rename(xp.folder / "best")
    marker.write(xp.folder, {})
    assert run(f"sig={xp.sig}", f"out={tmp_path}/a.h5", "split=train") == 0
    assert run(f"sig={xp.sig}", f"out={tmp_path}/b.h5") == 0
    printed = capsys.readouterr().out
    with h5py.File(tmp_path / "a.h5") as train, h5py.File(tmp_path / "b.h5") as every:
        assert train.attrs["signature"] == xp.sig and train.attrs["simulated"]
        assert list(train.attrs["classes"]) == ["normal", "abnormal"]
        assert 0 < len(train) < len(every)
        seen = set()
        for name, group in every.items():
            count = len(group["tokens"])
            assert f"{name}" in group.name and count == len(group["label"]) == len(group["start_s"])
            assert (np.diff(group["start_s"][()]) == 2).all()  # the stride of the recipe
            seen |= set(group["label"][()].tolist())
            splits = {text.decode() for text in group["split"][()]}
            assert len(splits) == 1 and (splits == {"train"}) == (name in train)
        assert seen == {0, 1}
        total = sum(len(group["tokens"]) for group in every.values())
    assert f"{total} windows of {len(xp.cfg.dset.studies) * 6} recordings" in printed


def test_unknown_channels_are_named_or_left_out(
    home: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["EEG CZ-REF", "EEG X7-REF", "EEG PZ-REF", "EEG Y2-REF"]
    data = np.random.default_rng(1).normal(0, 30, (4, 2000))
    write_edf(tmp_path / "odd/a.edf", names, data, 200)
    words = [f"model={home.small}", "study=folder", f"path={tmp_path}/odd", f"out={tmp_path}/a.h5"]
    assert run(*words) == 2
    error = capsys.readouterr().err
    assert "no electrode X7, Y2;" in error and "drop_unknown=true" in error
    assert room.in_words(list("abc"), 2) == "a, b and 1 more"
    assert not (tmp_path / "a.h5").exists()
    assert run(*words, "drop_unknown=true") == 0
    assert "left out: X7, Y2" in capsys.readouterr().out
    with h5py.File(tmp_path / "a.h5") as file:
        (group,) = file.values()
        assert [n.upper() for n in group.attrs["channels"]] == ["CZ", "PZ"]
        write_edf(tmp_path / "even/a.edf", names[::2], data[::2], 200)
        words[2] = f"path={tmp_path}/even"
        words[3] = f"out={tmp_path}/b.h5"
        assert run(*words) == 0
        with h5py.File(tmp_path / "b.h5") as other:
            np.testing.assert_array_equal(
                *(next(iter(f.values()))["tokens"] for f in (file, other))
            )


def test_an_interruption_leaves_the_old_file(
    home: SimpleNamespace, tmp_path: Path, monkeypatch
) -> None:
    out = tmp_path / "a.h5"
    out.write_text("old")
    plain = TokenModel._outputs_of
    sizes = []

    def interrupted(self, x):
        sizes.append(len(x))
        if len(sizes) == 3:
            raise KeyboardInterrupt
        return plain(self, x)

    monkeypatch.setattr(TokenModel, "_outputs_of", interrupted)
    assert mine(home, "small", out, "window_s=1", "batch_size=4") == 130
    assert out.read_text() == "old" and list(tmp_path.iterdir()) == [out]
    assert sizes == [4, 4, 4]  # no more than a batch at a time


def test_a_long_recording_is_streamed(home: SimpleNamespace, tmp_path: Path) -> None:
    """What is held at once is a batch: the second is gathered when the first is on the disk."""
    model = TokenModel(home.small, Options(batch_size=2))
    events: list[str] = []

    class Watched(room.TokenModel):
        def _outputs_of(self, x):
            events.append("made")
            return super()._outputs_of(x)

    model.__class__ = Watched
    signal = room.Signal(
        torch.randn(4000, 2), ("CZ", "PZ"), ("eeg",) * 2, np.zeros((2, 3)), 200.0, "uV", None, ""
    )  # fmt: skip
    rows = room.pd.DataFrame({"start": np.arange(0, 4000, 400), "length": 400})
    part = room.Part(room.RecordingId("s", "1", "0", "0"), signal, rows)

    def tick(share, windows):
        events.append("written")

    room.extract([part], model, tmp_path / "a.h5", {}, tick)
    assert events == ["made", "written"] * 5


def test_bad_recordings_are_skipped_and_listed(
    home: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    write_edf(tmp_path / "mine/a.edf", CAPS["two"], rng.normal(0, 30, (2, 1000)), 200)
    (tmp_path / "mine/b.edf").write_bytes(b"no recording")
    words = [f"model={home.small}", "study=folder", f"path={tmp_path}/mine", f"out={tmp_path}/a.h5"]
    assert run(*words) == 1
    assert "skipped" in (printed := capsys.readouterr().out) and "b.edf" in printed
    assert "5 windows" not in printed and "1 windows of 1 recordings" in printed
    assert run(*words, "strict=true") == 2
    with h5py.File(tmp_path / "a.h5") as file:
        assert len(file) == 1


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("study=folder", "use sig=ab12cd34 or model=FOLDER"),
        ("model={small} sig=00000000 study=folder", "use sig=ab12cd34 or model=FOLDER"),
        ("model={small}", "study=folder path=FOLDER, study=NAME or dset=NAME"),
        ("model={small} study=folder dset=eegmat", "not both"),
        ("model={small} study=foldr", "did you mean 'folder'"),
        ("model={small} dset=eegmt", "did you mean 'eegmat'"),
        ("model={small} study=folder path={mine} pool=max", "unknown pool 'max'"),
        ("model={small} study=folder path={mine} layer=3", "has 2 blocks; use 0 to 2"),
        ("model={small} study=folder path={mine} window_s=1.5", "must be 1 to 16 times 1 s"),
        ("model={small} study=folder path={mine} window_s=20", "must be 1 to 16 times 1 s"),
        ("model={small} study=folder path={mine} split=test", "use dset= instead"),
        ("model={small} study=folder path={mine} batch_size=0", "at least 1"),
        ("model={small} study=folder path={mine} dset.rate_hz=100", "trained at 200 Hz"),
        ("model={small} study=folder path={mine} dset.rate=100", "did you mean 'rate_hz'"),
        ("model={vqnsp_small} study=folder path={mine} pool=mean", "leave layer and pool out"),
        ("model={folder}/none study=folder", "no saved model"),
        ("model={small} study=folder path={mine} out={folder}", "is a folder"),
    ],
)
def test_mistakes_are_one_line(
    home: SimpleNamespace, words: str, expected: str, tmp_path: Path, capsys
) -> None:
    assert run(f"out={tmp_path}/a.h5", *words.format(**vars(home)).split()) == 2
    error = capsys.readouterr().err
    assert expected in error and error.startswith("error: ") and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_two_recordings_of_one_name_are_both_kept(tmp_path: Path) -> None:
    identity = room.RecordingId("s", "1", "0", "a/b")
    with token_file(tmp_path / "a.h5", {"empty": [], "one": 1}) as file:
        for value in (1, 2):
            batch = np.full((3, 2), value, np.float32)
            file.add(identity, {"channels": ["CZ"]}, {"start_s": np.arange(3.0)}, iter([batch]))
    with h5py.File(tmp_path / "a.h5") as h5:
        assert [g["tokens"][0, 0] for g in h5.values()] == [1, 2]
        assert list(h5) == ["s_1_0_a-b", "s_1_0_a-b-2"] and list(h5.attrs["empty"]) == []


@pytest.mark.endurance
@pytest.mark.shared
@needs("eegmat")
def test_published_weights_give_tokens_of_real_recordings(
    home: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file in the layout of labram-base.pth, imported, then 19 electrodes of real EEG."""
    from bm.tests.reference.labram_names import published_name

    monkeypatch.setenv("BM_DATA", str(DATA))
    config = section("model", "labram/masked_base")
    torch.manual_seed(0)
    model = build_model({**config, "class_row": "electrode", "extras": True}, FACTS)
    state = {published_name(name): t.clone() for name, t in model.state_dict().items()}
    state["logit_scale"] = torch.tensor(2.6)
    write(tmp_path / "labram-base.pth", state)
    import_checkpoint.command("labram", str(tmp_path / "labram-base.pth"), str(tmp_path / "base"))
    words = (f"out={tmp_path}/a.h5", "dset.studies=[{study: eegmat, n_recordings: 1}]")
    assert run(f"model={tmp_path}/base", *words, "pool=none") == 0
    with h5py.File(tmp_path / "a.h5") as file:
        assert file.attrs["model"] == "labram_masked" and not file.attrs["simulated"]
        assert "notch" in file.attrs["preprocess"]  # the published one
        for group in file.values():
            tokens = group["tokens"]
            assert tokens.shape[1:] == (19, 13, 200) and tokens.chunks == (1, 19, 13, 200)
            assert len(tokens) == 182 // 13 and np.isfinite(tokens[()]).all()
