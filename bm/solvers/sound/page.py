"""A page to listen to: target, generated and controls of each clip side by side, with spectra."""

from __future__ import annotations

import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

from ...figures.speech import draw_mel
from ...registry import check_file_name
from ...writing import replacing_folder, write_bytes, write_text

LIMITS = (2, 99.5)  # percentiles of the true spectra between which all colours run
STYLE = """
:root { color-scheme: light dark; --mark: #8a5a00; }
@media (prefers-color-scheme: dark) { :root { --mark: #f0b75a; } } .note { color: var(--mark); }
body { font: 15px/1.4 system-ui, sans-serif; margin: 1.5rem; } table { border-collapse: collapse; }
h1 { font-size: 1.5rem; } .wide { overflow-x: auto; }
th, td { padding: .3rem; text-align: center; font-size: .85rem; }
th:first-child { text-align: left; white-space: nowrap; }
img, audio { width: 10rem; display: block; margin: 0 auto; } img { height: 4rem; }
audio { height: 2rem; } td.on { outline: 3px solid #0072B2; }
"""
#: Arrows move between sounds, space plays and stops the one that is marked.
SCRIPT = """
const cells=[...document.querySelectorAll('td[data-row]')];
const at=(r,c)=>cells.find(x=>+x.dataset.row===r&&+x.dataset.column===c);
let here=cells[0];
function go(next){if(!next)return;here.classList.remove('on');
 here.querySelector('audio').pause();here=next;here.classList.add('on');
 here.scrollIntoView({block:'nearest',inline:'nearest'});}
function toggle(){const a=here.querySelector('audio');if(a.paused){a.currentTime=0;a.play();}
 else a.pause();}
const moves={ArrowRight:[0,1],ArrowLeft:[0,-1],ArrowDown:[1,0],ArrowUp:[-1,0]};
addEventListener('keydown',e=>{const m=moves[e.key];
 if(m){e.preventDefault();go(at(+here.dataset.row+m[0],+here.dataset.column+m[1]));}
 if(e.key===' '){e.preventDefault();toggle();}});
cells.forEach(x=>x.addEventListener('click',()=>go(x)));if(here)here.classList.add('on');
"""


def wav_bytes(wave: np.ndarray, rate_hz: int) -> bytes:
    """Return a 16 bit WAV file of a wave (n,) within -1 to 1."""
    content = io.BytesIO()
    soundfile.write(content, np.clip(wave, -1, 1), rate_hz, format="WAV", subtype="PCM_16")
    return content.getvalue()


def file_name(name: str) -> str:
    """Return the name of a way of making sounds as part of a file's name."""
    letters = "".join(c if c.isalnum() else " " for c in name)
    return check_file_name("sound", "_".join(letters.split()))


def write_page(
    folder: Path,
    sounds: Mapping[str, np.ndarray],
    mels: Mapping[str, np.ndarray],
    names: Sequence[str],
    rate_hz: int,
    notes: Sequence[str] = (),
) -> Path:
    """Write WAV files, spectra and `page.html` into a folder that is whole or the old one.

    Args:
        folder: replaced.
        sounds: way of making -> (N, n); the first is the target.
        mels: way of making -> log-mel (N, frames, bands).
        names: of the clips.
        rate_hz: of the sounds.
        notes: paragraphs above the table.
    """
    first = next(iter(mels.values()))
    low, high = (float(v) for v in np.percentile(first, LIMITS))
    with replacing_folder(folder) as aside:
        rows = []
        for row, name in enumerate(names):
            cells = []
            for column, way in enumerate(sounds):
                stem = f"{row:03d}_{file_name(way)}"
                write_bytes(aside / f"{stem}.wav", wav_bytes(sounds[way][row], rate_hz))
                draw_mel(mels[way][row], (low, max(high, low + 1e-6)), aside / f"{stem}.png")
                cells.append(
                    f'<td data-row="{row}" data-column="{column}"><img src="{stem}.png" '
                    f'alt="log-mel of {html.escape(way)}"><audio controls preload="none" '
                    f'src="{stem}.wav"></audio></td>'
                )
            rows.append(f"<tr><th>{html.escape(name)}</th>{''.join(cells)}</tr>")
        head = "".join(f"<th>{html.escape(way)}</th>" for way in sounds)
        text = "".join(f'<p class="note">{html.escape(note)}</p>' for note in notes)
        write_text(
            aside / "page.html",
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Generated speech</title>'
            f"<style>{STYLE}</style><h1>Generated speech</h1>{text}"
            f"<p>Arrow keys move between sounds, space plays.</p>"
            f'<div class="wide"><table><tr><th>clip</th>{head}</tr>{"".join(rows)}</table></div>'
            f"<script>{SCRIPT}</script></html>\n",
        )
    return folder / "page.html"
