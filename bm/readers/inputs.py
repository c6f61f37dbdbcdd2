"""Inputs of a model: which channels of a recording measure the brain, by name and by their data.

Formats without channel types call everything EEG, so that a marker or a copy of the labels would be
an input. Names that say what a channel is are set aside; so are channels that look like labels or
counters and are no known electrode.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..data.preprocess import OLD_NAMES
from ..errors import RecordingError
from .raw import Reading, matches

if TYPE_CHECKING:
    import mne

logger = logging.getLogger(__name__)
#: Type of MNE -> patterns of names that give it away in every recording, also inside the head.
ALWAYS = {
    "eog": "*EOG* VEO HEO VEO[GRLUD+-]* HEO[GRLUD+-]*",
    "ecg": "*ECG* *EKG*",
    "emg": "*EMG*",
    "stim": "STI* STATUS* TRIG* MARKER* MRK* MKR* EVENT* ANNOTATION* [EB]DF*ANNOTATION* LABEL*"
    " CLASS CLASS[-_]* TARGET* DIN DIN[0-9]*",
    "misc": "EXG* OSAT SPO2* PLETH* PHOTIC*",
    "resp": "RESP RESP[-_.0-9]* RESPIRATION*",
}
#: Those on the scalp. Contacts of depth electrodes may be called so (ACC is also the anterior
#: cingulate), which is why they are not looked for inside the head.
ON_SCALP = {
    "eog": "LOC ROC LOC[-_]* ROC[-_]* LUC LUC[-_]* RLC RLC[-_]* EYE* *[-_]EYE GAZE* PUPIL*"
    " LO[12] SO[12] E[12][-_][AM][12]",
    "ecg": "I II III AV[RLF] V[1-6] [LR][AL]-[LR][AL]",
    "emg": "CHIN* [LR]LEG* [LR][-_]LEG* LEG* [LR]ARM* [LR][-_]ARM* ARM* TIB* *TIBIAL* LAT RAT",
    "gsr": "GSR* EDA EDA[-_0-9]*",
    "temperature": "TEMP TEMP[-_.0-9]* TEMPERATURE*",
    "stim": "RESPONSE* BUTTON* KEY* STIM* TRIAL* TASK* SYNC* CODE* CONDITION* Y_TRUE"
    " DIGITAL* DIG DIG[-_0-9]* D[IO][0-9]* IO[0-9]* GPIO*",
    "misc": "AUX* *[-_]AUX *[-_]AUX[-_0-9]* BIP BIP[-_0-9]* DC DC[-_0-9]* ACC* GYR*"
    " AUDIO* X Y Z POS POS[-_]* POS[XYZ] [XYZ][-_]POS* PULSE* PPG* BVP* HR HEART* IBI BURSTS"
    " SUPPR ABD* THOR* NASAL* FLOW* AIRFLOW* SNORE* CPAP* COUNTER* INTERPOLATED"
    " TIME TIMESTAMP* SAMPLE* INDEX PACKET* BATTERY* QUALITY* CQ_* CLOCK* ERGO* PHOTO* DIODE*"
    " LIGHT* JOYSTICK* SUBJECT* MISC* MIC MIC[-_0-9]* MICROPHONE* EX[0-9] ERG[0-9]* PLET*"
    " SAO2* CHEST* POSITION* MAG MAG[-_XYZ0-9]* PR RATE SPEED* VELOCITY* FORCE* TORQUE*",
}


def type_of(name: str, kind: str) -> str | None:
    """Return the type that a channel's name gives away, or None.

    >>> type_of("VEOG", "eeg"), type_of("DIN1", "eeg"), type_of("ACC1", "seeg")
    ('eog', 'stim', None)
    """
    for patterns in (ALWAYS, ON_SCALP) if kind == "eeg" else (ALWAYS,):
        for of_name, words in patterns.items():
            if matches(name.replace(" ", "_"), words.split()) is not None:
                return of_name
    return None


def suspects(
    raw: mne.io.BaseRaw, reading: Reading, electrodes: Sequence[str], kind: str
) -> list[str]:
    """Return channels that are no known electrode, have no place, and were not asked for.

    Args:
        raw: named and placed.
        reading: of the study; channels that it lists or types are trusted.
        electrodes: names in capitals that are known.
        kind: eeg, meg, seeg or ecog.
    """
    # Formats of MEG know the type of every sensor.
    if reading.channels is not None or kind == "meg":
        return []
    names = {*electrodes, *OLD_NAMES}
    return [
        channel["ch_name"]
        for channel in raw.info["chs"]
        if channel["ch_name"].upper() not in names
        and not np.isfinite(channel["loc"][:3]).all()
        and matches(channel["ch_name"], reading.types) is None
    ]


def leave_out(raw: mne.io.BaseRaw, names: Sequence[str], path: Path, kind: str) -> mne.io.BaseRaw:
    """Leave out channels that look like labels or counters, and name them in the log.

    Raises:
        RecordingError: none is left.
    """
    if not names:
        return raw
    shown = ", ".join(names[:8])
    if len(names) == len(raw.ch_names):
        reason = f"no {kind} channel: {shown} hold steps or count, as labels and clocks do"
        raise RecordingError(path, reason, "name the data by the study's `channels`")
    logger.warning(
        "%s: not taken as %s, because they hold steps or count and are no known electrode: %s; "
        "list them in `channels` if they are", path, kind, shown,
    )  # fmt: skip
    return raw.drop_channels(list(names))
