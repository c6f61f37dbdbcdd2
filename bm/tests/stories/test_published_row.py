"""A row of the published table, from its signature: the published layout in small, two studies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from bm.tests.features import models
from bm.tests.studies import stories

ROOT = Path(__file__).resolve().parents[3]
pytestmark = [pytest.mark.story, pytest.mark.endurance]

ROW = ("!seed", "!features", "!wer_random")
TINY = (
    "optim.epochs=2",
    "optim.batch_size=16",
    "model.hidden=16",
    "model.merger.dimension=32",
    "model.merger.channels=12",
    "model.initial.channels=12",
    "model.encoder.depth=2",
    "log.figures=false",
)
BRENNAN = "{study: brennan2019, min_block_s: 3.5}"
BRODERICK = "{study: broderick2019, min_block_s: 3.0, min_matches: 3, sentences: punctuation}"


class Place:
    """A user's folder with data in the published layout and a tiny model under the real name."""

    def __init__(self, root: Path) -> None:
        self.root, self.outputs = root, root / "outputs"
        stories.brennan(root / "data", ("S01", "S03", "S04"))
        stories.broderick(root / "data", (1, 2), 2)
        models.wav2vec(root / "models/facebook/wav2vec2-large-xlsr-53", blocks=24)

    def call(self, *words: str, code: int = 0) -> str:
        folders = {"DATA": "data", "MODELS": "models", "CACHE": "cache", "OUTPUTS": "outputs"}
        variables = {f"BM_{name}": str(self.root / folder) for name, folder in folders.items()}
        dropped = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "_DORA_GIT_SAVE_DONE")
        inherited = {k: v for k, v in os.environ.items() if k not in dropped}
        process = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=ROOT, env={**inherited, **variables, "BM_EXECUTOR": "local"},
            capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        assert process.returncode == code, process.stdout + process.stderr
        return process.stdout + process.stderr

    def row(self, dataset: str) -> str:
        """Signature that the table of the grid shows for a data set."""
        table = self.call("dora", "-P", "bm", "grid", "nmi.main_table", *ROW, "--dry_run", "--init")
        lines = [line for line in table.splitlines() if "dset=" in line and "N/A" in line]
        assert len(lines) == 4, table
        (line,) = [line for line in lines if dataset in line]
        return line.split()[line.split().index("N/A") + 1]

    def run(self, signature: str, *overrides: str) -> tuple[Path, str]:
        """Folder of the experiment that a row with other values is, and what was said."""
        earlier = set(self.outputs.glob("xps/*/evaluation.json"))
        text = self.call("dora", "-P", "bm", "run", "-f", signature, "-d", *TINY, *overrides)
        (evaluation,) = set(self.outputs.glob("xps/*/evaluation.json")) - earlier
        return evaluation.parent, text


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("place"))


def test_a_row_is_run_from_its_signature_evaluated_and_tabled(place: Place) -> None:
    signature = place.row("brennan2019")
    ratios = "dset.split.ratios={train: 0.6, valid: 0.0, test: 0.4}"
    folder, text = place.run(signature, f"dset.studies=[{BRENNAN}]", ratios)
    assert "no window of split valid" in text
    stored = json.loads((folder / "evaluation.json").read_text())
    items = pd.read_parquet(folder / "items.parquet")
    assert stored["extra"]["n_candidates"] == [items["segment_hash"].nunique()]
    assert len(items) == 3 * items["segment_hash"].nunique()  # three people heard each
    chance = 10 / max(10, items["segment_hash"].nunique())
    assert stored["chance"]["top10_accuracy"] == pytest.approx(chance)
    assert stored["metrics"]["top10_accuracy"] == pytest.approx((items["rank"] < 10).mean())
    place.call("scripts.run_eval", f"sigs=[{folder.name}]")
    again = json.loads((place.outputs / "eval" / folder.name / "metrics.json").read_text())
    assert again["metrics"] == pytest.approx(stored["metrics"])
    table = place.call("scripts.make_tables", f"sigs=[{folder.name}]")
    assert "brennan2019" in table and "chance" in table
    assert (place.outputs / "tables" / folder.name / "table.html").is_file()
    assert "which grid?" in place.call("scripts.make_tables", code=2)


@pytest.mark.parametrize("channels", ["null", "padded"])
def test_two_studies_with_other_sensors_are_one_experiment(place: Place, channels: str) -> None:
    studies = f"dset.studies=[{BRENNAN}, {BRODERICK}]"
    ratios = "dset.split.ratios={train: 0.6, valid: 0.0, test: 0.4}"
    folder, _ = place.run(place.row("brennan2019"), studies, ratios, f"dset.channels={channels}")
    items = pd.read_parquet(folder / "items.parquet")
    assert set(items["study"]) == {"brennan2019", "broderick2019"}
    stored = json.loads((folder / "evaluation.json").read_text())
    # all candidates of both studies are ranked together
    assert stored["extra"]["n_candidates"] == [items["segment_hash"].nunique()]
    assert items["rank"].max() < items["segment_hash"].nunique()
    assert len(stored["extra"]["subjects"]) == 5
