"""A static HTML page: opens from disk, needs no network and no script, light and dark."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

#: Cell of a number, with its spread or interval: these stand right and are not broken.
NUMBER = re.compile(r"[-+<]?\d[\d\s.,%±()\[\]e+-]*(to [\d.,%+-]+\]?)?")
SHORT = 24  # letters of a cell that is not broken
LONG = 40  # more rows scroll in a box: figures below them stay in reach
ZOOM = 1.11  # of figures on the page: two journal columns fill the text
STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #fff; --line: #d8d8d8; --soft: #f4f5f7;
  --bad: #b00020; --good: #00704a; --mark: #8a5a00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e8; --paper: #16181b; --line: #3a3d42;
  --soft: #202328; --bad: #ff8a80; --good: #6fd3a8; --mark: #f0b75a; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; width: max-content; min-width: 100%; max-width: calc(100vw - 4rem);
  position: relative; left: 50%; transform: translateX(-50%); }
.long { max-height: 75vh; overflow-y: auto; } .long th { position: sticky; top: 0; }
@media print { .long { max-height: none; } }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: left; }
.number { text-align: right; } .number, .short { white-space: nowrap; }
th { background: var(--soft); }
.note { color: var(--mark); font-weight: 600; } .failed { color: var(--bad); font-weight: 600; }
.done { color: var(--good); } figure { margin: 1rem 0; background: #fff; padding: .5rem;
  border: 1px solid var(--line); max-width: 46rem; } figure svg { width: 100%; height: auto; }
figcaption { color: #444; font-size: .85rem; } code { font-size: .9em; }
details { margin: .3rem 0; } pre { background: var(--soft); padding: .6rem; overflow-x: auto; }
"""


@dataclass
class Section:
    """One heading of a page with paragraphs, a table, figures (SVG files) and folded texts.

    `links` leads from words of cells (signatures) to other pages and folders.
    """

    title: str
    paragraphs: Sequence[str] = ()
    rows: Sequence[Mapping[str, str]] = ()
    figures: Sequence[tuple[Path, str]] = ()
    folded: Sequence[tuple[str, str]] = ()
    classes: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)


def table_html(
    rows: Sequence[Mapping[str, str]],
    classes: Mapping[str, str] | None = None,
    links: Mapping[str, str] | None = None,
) -> str:
    """Return an HTML table; columns in the order of their first appearance, every cell escaped.

    Args:
        rows: one mapping of column to text per row; missing cells stay empty.
        classes: cell text -> CSS class, e.g. {"failed": "failed"}.
        links: word of a cell -> where it leads.
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))
    classes = classes or {}
    head = ""
    for name in columns:
        present = [str(row[name]) for row in rows if row.get(name)]
        number = present and all(map(NUMBER.fullmatch, present))
        head += f'<th class="{"number" if number else ""}">{html.escape(name)}</th>'
    body = []
    for row in rows:
        cells = (str(row.get(name, "")) for name in columns)
        body.append(
            "<tr>"
            + "".join(
                f'<td class="{classes.get(cell, _kind(cell))}">{_linked(cell, links)}</td>'
                for cell in cells
            )
            + "</tr>"
        )
    box = "wide long" if len(rows) > LONG else "wide"
    return (
        f'<div class="{box}"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _kind(cell: str) -> str:
    """Return the CSS class of a cell: numbers stand right, short texts are not broken."""
    if NUMBER.fullmatch(cell):
        return "number"
    return "short" if len(cell) <= SHORT else ""


def _linked(cell: str, links: Mapping[str, str] | None) -> str:
    """Return a cell as HTML, each of its words that `links` knows as a link."""
    if not links:
        return html.escape(cell)
    words = (
        f'<a href="{html.escape(links[word])}">{html.escape(word)}</a>'
        if word in links
        else html.escape(word)
        for word in re.split(r"(\W+)", cell)
    )
    return "".join(words)


def figure_html(path: Path, caption: str) -> str:
    """Return an SVG file inlined with its caption, so that the page is one file.

    All are enlarged alike: letters have one size, whatever the width of a figure.
    """
    text = path.read_text(encoding="utf-8")
    # Without the XML declaration, which HTML allows at the beginning of a file alone.
    svg = text[text.index("<svg") :]
    caption = html.escape(caption)
    width = re.search(r'<svg[^>]*\bwidth="([\d.]+)pt"', svg)
    style = f' style="max-width: {ZOOM * float(width[1]):.0f}pt"' if width else ""
    return (
        f'<figure role="img" aria-label="{caption}"{style}>{svg}'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def render(
    title: str,
    sections: Iterable[Section],
    note: str | None = None,
    links: Sequence[tuple[str, str]] = (),
) -> str:
    """Return the whole page as text.

    Args:
        title: heading.
        sections: in order.
        note: one conspicuous line under the heading, e.g. that data are simulated.
        links: names and addresses of other pages, below it.
    """
    parts = [f"<h1>{html.escape(title)}</h1>"]
    if note:
        parts.append(f'<p class="note">{html.escape(note)}</p>')
    if links:
        pairs = (f'<a href="{html.escape(to)}">{html.escape(name)}</a>' for name, to in links)
        parts.append(f"<p>{' · '.join(pairs)}</p>")
    for section in sections:
        parts.append(f"<h2>{html.escape(section.title)}</h2>")
        parts += [f"<p>{html.escape(text)}</p>" for text in section.paragraphs]
        if section.rows:
            parts.append(table_html(section.rows, section.classes, section.links))
        parts += [figure_html(path, caption) for path, caption in section.figures]
        parts += [
            f"<details><summary>{html.escape(name)}</summary><pre>{html.escape(text)}</pre></details>"
            for name, text in section.folded
        ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )
