"""The one look of all figures: sizes, palette, and the label of simulated data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

from ..writing import replacing

SINGLE_MM, DOUBLE_MM = 85.0, 175.0  # widths of one and two journal columns
MM_PER_INCH = 25.4
STAMP_PT = 7.5  # height of the line that says "simulated data"

#: Colour-blind safe palette (Okabe and Ito, 2008), in the order of use.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
#: One colour per family, the same in every figure.
FAMILY_COLOURS = {
    "clip": PALETTE[0],
    "eegdiff": PALETTE[1],
    "labram": PALETTE[2],
    "duin": PALETTE[3],
    "eeg2speech": PALETTE[5],
    "supervised": PALETTE[4],
    "baseline": "#777777",
}
#: Colours of real and generated samples, which stand beside each other.
SIDE_COLOURS = {"real": PALETTE[0], "generated": PALETTE[5]}
CHANCE_LINE: dict[str, Any] = {"color": "#555555", "linestyle": "--", "linewidth": 0.8}

RC: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.size": 7.0,
    "axes.titlesize": 8.0,
    "axes.labelsize": 7.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.0,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 6.5,
    "savefig.dpi": 200,
    "svg.fonttype": "none",  # letters stay text: they can be searched and edited
    "svg.hashsalt": "bm",  # else ids are random, and no two files of one figure are equal
    "figure.constrained_layout.use": True,
}


@contextmanager
def figure(
    width_mm: float = SINGLE_MM, height_mm: float = 60.0, rows: int = 1, columns: int = 1
) -> Iterator[tuple[Figure, Any]]:
    """Yield a figure in the house style and its axes, closed at the end whatever happens.

    Drawn off screen: needs no display and changes no global backend.

    Args:
        width_mm, height_mm: size on paper.
        rows, columns: grid of axes; one axes is yielded as it is, several as an array.
    """
    with _quick_classes():
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

    with mpl.rc_context(RC):  # type: ignore[arg-type]
        drawing = Figure(figsize=(width_mm / MM_PER_INCH, height_mm / MM_PER_INCH))
        FigureCanvasAgg(drawing)
        yield drawing, drawing.subplots(rows, columns)
        drawing.clear()


@contextmanager
def _quick_classes() -> Iterator[None]:
    """Import matplotlib without the texts of help of its setters, a fifth of a run's figures."""
    from matplotlib import artist

    write = artist.kwdoc
    artist.kwdoc = lambda artist: ""  # type: ignore[assignment]
    try:
        yield
    finally:
        artist.kwdoc = write


def side_colour(name: str, index: int) -> str:
    """Return the colour of a set of samples: fixed for real and generated ones, else by place."""
    return SIDE_COLOURS.get(name, PALETTE[index % len(PALETTE)])


def unit_text(unit: str) -> str:
    """Return a unit as printed: `uV^2/Hz` -> `µV²/Hz`."""
    return unit.replace("uV", "µV").replace("^2", "²")


def label_simulated(drawing: Figure, simulated: bool) -> None:
    """Write "simulated data" below the axes, on the right, when they were made from equations."""
    if simulated:
        layout: Any = drawing.get_layout_engine()
        if layout is not None:  # a line of its own, so that it covers no name of a tick
            low = STAMP_PT / 72 / drawing.get_figheight()
            layout.set(rect=(0.0, low, 1.0, 1.0 - low))
        drawing.text(
            0.995, 0.005, "simulated data", ha="right", va="bottom", fontsize=6, color="#B00020"
        )


def draw_chance(axes: Axes, value: float, text: str = "chance") -> None:
    """Draw a dashed horizontal line at chance level with its name."""
    axes.axhline(value, **CHANCE_LINE)
    axes.annotate(
        text,
        (1.0, value),
        xycoords=("axes fraction", "data"),
        ha="right",
        va="bottom",
        fontsize=6,
        color=CHANCE_LINE["color"],
    )


def save(drawing: Figure, path: Path) -> Path:
    """Write the figure, whole or not at all; the suffix selects the format."""
    with replacing(path, durable=False) as aside:
        drawing.savefig(aside, metadata={"Date": None} if path.suffix == ".svg" else None)
    return path
