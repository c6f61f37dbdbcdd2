"""Miniatures of the published layouts of story-listening studies, with generated signals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

SENTENCES = (
    *("Alice was beginning to get very tired", "She had nothing to do", "The rabbit ran close by"),
    *("Down went Alice after it", "It was too dark to see", "Do cats eat bats"),
)
WORD_S, PAUSE_S = 0.4, 0.6  # a word every 0.4 s, 0.6 s more between sentences


def spoken(sentences: tuple[str, ...] = SENTENCES) -> pd.DataFrame:
    """Words with onset and offset (s), sentence (from 1 on) and position (from 1 on)."""
    rows, time = [], 0.2
    for number, sentence in enumerate(sentences):
        for place, word in enumerate(sentence.split()):
            rows.append((word, time, time + 0.3, number + 1, place + 1))
            time += WORD_S
        time += PAUSE_S
    return pd.DataFrame(rows, columns=["word", "onset", "offset", "sentence", "position"])


def write_sound(path: Path, seconds: float, rate: int = 8000) -> None:
    """Write noise as a sound file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    wave = np.random.default_rng(1).normal(size=round(seconds * rate)) * 0.1
    soundfile.write(path, wave, rate)


def noise(channels: int, samples: int, seed: int = 0) -> np.ndarray:
    """Noise (channels, samples) of about 10 uV, different channels."""
    return np.random.default_rng(seed).normal(size=(channels, samples)) * 10


def brennan(root: Path, people: tuple[str, ...] = ("S01", "S03")) -> pd.DataFrame:
    """Two segments of three sentences each; returns the table of words."""
    from scipy.io import savemat

    folder = root / "brennan2019" / "download"
    (folder / "proc").mkdir(parents=True)
    parts = [spoken(SENTENCES[:3]), spoken(SENTENCES[3:])]
    parts[1]["sentence"] += 3
    words = pd.concat([p.assign(segment=i + 1) for i, p in enumerate(parts)], ignore_index=True)
    table = pd.DataFrame(
        {
            "Word": words["word"],
            "Segment": words["segment"],
            "onset": words["onset"],
            "offset": words["offset"],
            "Order": np.arange(1, len(words) + 1),
            "Position": words["position"],
            "Sentence": words["sentence"],
        }
    )
    table.to_csv(folder / "AliceChapterOne-EEG.csv", index=False)
    for segment in (1, 2):
        name = f"DownTheRabbitHoleFinal_SoundFile{segment}.wav"
        write_sound(folder / "audio" / name, 9.0)
    begin = np.where(words["segment"] == 1, 2.0, 12.0) + words["onset"]
    names = [str(n) for n in range(1, 62) if n != 29] + ["VEOG", "AUD"]
    for person, name in enumerate(people):
        first = np.round(begin * 500) - 150
        columns = (first, first + 650, np.full(len(words), -150), words["segment"])
        trials = np.stack([*columns, words["onset"], table["Order"]], 1)
        proc = {"trl": trials, "tot_chans": 61.0, "subject": name}
        varnames = np.array(["segment", "tmin", "Order"], dtype=object)
        savemat(folder / "proc" / f"{name}.mat", {"proc": {**proc, "varnames": varnames}})
        header = {"Fs": 500.0, "label": np.array(names, dtype=object)}
        data = noise(len(names), 500 * 24, person)
        savemat(folder / f"{name}.mat", {"raw": {"hdr": header, "trial": data}})
    return table


def described(words: pd.DataFrame, begin: float, story: str) -> pd.DataFrame:
    """The BIDS table of events of MEG-MASC: descriptions are the text of dictionaries."""
    rows: list[tuple[float, float, dict[str, object]]] = [
        (begin, 0.0, {"kind": "sound", "story": story, "sound": f"stimuli/audio/{story}.0.WAV"})
    ]
    for word in words.to_dict("records"):
        sentence: dict[str, object] = {
            "kind": "word",
            "word": word["word"],
            "sequence_id": float(word["sentence"]),
        }
        start = begin + word["onset"]
        rows.append((start, 0.3, {**sentence, "condition": "sentence", "pronounced": 1.0}))
        for number, name in enumerate(("ih1_B", "t_E")):
            phone: dict[str, object] = {"kind": "phoneme", "phoneme": name}
            phone["sequence_id"] = float(word["sentence"])
            rows.append((start + 0.15 * number, 0.15, {**phone, "condition": "sentence"}))
    table = pd.DataFrame(rows, columns=["onset", "duration", "trial_type"])
    return table.assign(trial_type=[str(told) for told in table["trial_type"]])


def gwilliams(root: Path, seconds: float = 26.0) -> pd.DataFrame:
    """Two people, the second with one story of one session: FIF; returns the words of a story."""
    import mne

    folder = root / "gwilliams2022" / "download"
    words = spoken()
    seconds = max(seconds, float(words["offset"].iloc[-1]) + 3)
    write_sound(folder / "stimuli/audio/lw1.wav", seconds - 2)
    (folder / "participants.tsv").write_text("participant_id\tage\nsub-02\t20\nsub-01\t21\n")
    for person, session, task in ((1, 0, 0), (1, 1, 0), (2, 0, 0)):
        stem = f"sub-{person:02d}_ses-{session}_task-{task}"
        place = folder / f"sub-{person:02d}" / f"ses-{session}" / "meg"
        place.mkdir(parents=True)
        names = [f"MEG {n:03d}" for n in range(1, 17)] + ["REF 1", "MISC 1"]
        info = mne.create_info(names, 1000.0, ["mag"] * 16 + ["ref_meg", "misc"])
        data = noise(len(names), round(seconds * 1000), 7 * person + session) * 2e-14
        raw = mne.io.RawArray(data, info, verbose="error")
        raw.save(place / f"{stem}_meg.fif", verbose="error")
        described(words, 1.0, "lw1").to_csv(place / f"{stem}_events.tsv", sep="\t", index=False)
    return words


def broderick(root: Path, people: tuple[int, ...] = (1, 2), runs: int = 2) -> list[pd.DataFrame]:
    """Two runs of three sentences each; returns the words of each."""
    from scipy.io import savemat

    folder = root / "broderick2019" / "download"
    private = folder / "private"
    private.mkdir(parents=True)
    stories = [spoken(SENTENCES[3 * run : 3 * run + 3]) for run in range(runs)]
    for run, words in enumerate(stories, 1):
        write_sound(private / f"audio{run}.wav", 11.0)
        told = SENTENCES[3 * run - 3 : 3 * run]
        (private / f"oldman_run{run}.txt").write_text(". ".join(told) + ".\n")
        aligned = []
        for word in words.to_dict("records"):
            phones = [{"phone": "ah_B", "duration": 0.1}, {"phone": "t_E", "duration": 0.2}]
            row = {"word": word["word"], "case": "success", "start": word["onset"]}
            aligned.append({**row, "end": word["offset"], "phones": phones})
        aligned.insert(3, {"word": "lost", "case": "not-found-in-audio"})
        aligned.insert(5, {**aligned[4], "word": "hm", "start": aligned[4]["end"] + 0.02,
                           "end": aligned[4]["end"] + 0.05, "phones": []})  # fmt: skip
        (private / f"align{run}.json").write_text(json.dumps({"words": aligned}))
    for person in people:
        place = folder / "Natural Speech" / "EEG" / f"Subject{person}"
        place.mkdir(parents=True)
        for run in range(1, runs + 1):
            data = noise(130, 128 * 12, 10 * person + run).T
            content = {"eegData": data[:, :128], "mastoids": data[:, 128:], "fs": 128.0}
            savemat(place / f"Subject{person}_Run{run}.mat", content)
    return stories


#: Dutch sentences and word lists; a number in the list of stimuli.
DUTCH = {
    7: ("ZINNEN", "Toen barkeeper de deur sloot"),
    12: ("ZINNEN", "Het kind zag een hond"),
    131: ("WOORDEN", "hond de zag kind een"),
    140: ("WOORDEN", "deur sloot barkeeper toen de"),
}
CLOCK_S = 3.7  # the log's clock is ahead of the recording's


def mous(root: Path, modality: str = "audio") -> None:
    """One person; two sentences, then two word lists, a fixation before each and at the end."""
    from ..readers.ctf import write_ctf

    folder = root / "schoffelen2019" / "download"
    (folder / "stimuli").mkdir(parents=True)
    listed = [f"{number} {text}" for number, (_, text) in DUTCH.items()]
    (folder / "stimuli" / "stimuli.txt").write_text("\n".join(listed) + "\n")
    person = "A2002" if modality == "audio" else "V1001"
    rows, marks = _mous_rows(modality)
    log = folder / "sourcedata" / "meg_task" / f"{person}-MOUS.log"
    log.parent.mkdir(parents=True)
    log.write_text(presentation_log(rows))
    for number, (_, text) in DUTCH.items() if modality == "audio" else ():
        stem = f"EQ_Ramp_Int2_Int1LPF{number:03d}"
        write_sound(folder / "stimuli" / "audio_files" / f"{stem}.wav", 3.0)
        write_textgrid(folder / "derivatives" / "phonemes" / f"{stem}.TextGrid", text.split())
    names = ["G11-2622", "BG1-2622", "MLC11-2622", "MLC12-2622", "MRF21-2622", "MZO01-2622"]
    kinds = ["ref", "ref", "meg", "meg", "meg", "meg", "stim"]
    samples = round(1200 * (rows[-1][2] - CLOCK_S + 2))
    data = np.vstack([noise(6, samples) * 2e-14, np.zeros((1, samples))])
    for time, value in marks:
        first = round((time - CLOCK_S) * 1200)
        data[-1, first : first + 60] = value
    for run in ("rest", "MOUS_01"):
        place = folder / f"sub-{person}" / "meg" / f"sub-{person}_task-{run}_meg.ds"
        write_ctf(place, [*names, "UPPT001"], kinds, data, 1200.0)


def _mous_rows(modality: str) -> tuple[list[tuple[str, str, float, float]], list]:
    """Rows of a log (type, code, time, duration) and the triggers sent (time, value)."""
    rows, marks, time, before = [("Pulse", "99", 4.0, 0.0)], [], 5.0, None
    for number, (context, text) in DUTCH.items():
        if context != before:
            rows.append(("Picture", context, time, 1.0))
            marks.append((time, 10))
            time, before = time + 1.5, context
        rows.append(("Picture", "FIX", time, 0.5))
        marks.append((time, 20))
        time += 1.0
        if modality == "audio":
            rows.append(("Nothing", f"Start File {number}.wav", time, 0.0))
            rows.append(("Sound", "Audio onset", time + 0.1, 0.0))
            time += 3.5
            continue
        for place, word in enumerate(text.split()):
            rows += [
                ("Picture", f"{place + 1} {word}", time, 0.3),
                ("Picture", "blank", time + 0.3, 0.3),
            ]
            time += 0.6
        rows.append(("Response", "1", time, 0.0))
    rows.append(("Picture", "FIX", time, 0.5))
    marks.append((time, 20))
    return rows, marks


def presentation_log(rows: list[tuple[str, str, float, float]]) -> str:
    """The text of a log of Presentation."""
    head = "Subject\tTrial\tEvent Type\tCode\tTime\tTTime\tUncertainty\tDuration\tUncertainty"
    text = ["Scenario -\tMOUS", "Logfile written - 02/01/2010", "", head, ""]
    for kind, code, time, duration in rows:
        first = f"A2002\t1\t{kind}\t{code}\t{round(time * 1e4)}\t0\t1"
        text.append(f"{first}\t{round(duration * 1e4)}\t2")
    text += [
        "",
        "",
        "Event Type\tCode\tType\tTime\tUncertainty\tDuration\tUncertainty\tReqTime",
        "",
    ]
    for kind, code, time, _ in rows:
        if kind in ("Picture", "Sound", "Nothing"):
            text.append(f"{kind}\t{code}\thit\t{round(time * 1e4)}\t1\t0\t2\t0")
    return "header\n" + "\r\n".join(text) + "\r\n"


def write_textgrid(path: Path, words: list[str]) -> None:
    """Words of 0.4 s from 0.2 s on, each of two phonemes, silence around them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    end = 0.2 + 0.4 * len(words)
    spoken = [(0.2 + 0.4 * i, 0.6 + 0.4 * i, word) for i, word in enumerate(words)]
    phones = [part for a, b, _ in spoken for part in ((a, a + 0.2, "t"), (a + 0.2, b, "@"))]
    tiers = {
        "ORT-MAU": [(0.0, 0.2, ""), *spoken, (end, end + 0.3, "")],
        "MAU": [(0.0, 0.2, "<p:>"), *phones, (end, end + 0.3, "<p:>")],
    }
    text = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", "item []:"]
    for number, (name, parts) in enumerate(tiers.items(), 1):
        text += [
            f"    item [{number}]:",
            '        class = "IntervalTier"',
            f'        name = "{name}"',
        ]
        text += [
            "        xmin = 0",
            f"        xmax = {end + 0.3}",
            f"        intervals: size = {len(parts)}",
        ]
        for place, (start, stop, label) in enumerate(parts, 1):
            text += [f"        intervals [{place}]:", f"            xmin = {start}"]
            text += [f"            xmax = {stop}", f'            text = "{label}"']
    path.write_text("\n".join(text) + "\n")
