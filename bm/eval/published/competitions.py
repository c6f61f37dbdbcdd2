"""Known results of competition sets: the share of test trials that is decided right.

Winner: Blankertz et al., "The BCI Competition 2003", IEEE Trans Biomed Eng 51, 1044 (2004), set Ia.
The other rows come with the trials (README of the data): decoders that others fitted on the same
split.
"""

from __future__ import annotations

from .rows import PublishedRow, Reference

#: Row -> data set -> accuracy.
ACCURACY = {
    "winner of BCI Competition II": {"scp1": 0.887},
    "LDA on the mean signal (with the data)": {"scp1": 0.846},
    "LDA below 5 Hz (with the data)": {"hand_movement": 0.635},
}

#: grid -> rows beside it; none of ours repeats one.
GRIDS = {
    "demo.real": [
        PublishedRow(name, {data: {"accuracy": Reference(value)} for data, value in values.items()})
        for name, values in ACCURACY.items()
    ]
}
