"""Languages by their ISO 639-1 code, whatever a study calls them."""

from __future__ import annotations

from ..errors import UserError, nearest

#: English names of the languages that spaCy has pipelines of, see `lexicon.CORPORA`.
CODES = {
    "english": "en",
    "dutch": "nl",
    "french": "fr",
    "german": "de",
    "italian": "it",
    "danish": "da",
    "norwegian": "nb",
}


def iso_code(language: object) -> str:
    """Return the two-letter code of a language, `en` of "english", "English", "eng-GB" or "en".

    Raises:
        UserError: a name that is neither a code nor known.
    """
    text = str(language).strip().lower().replace("_", "-")
    if text in CODES:
        return CODES[text]
    first = text.split("-")[0]
    codes = {name[:3]: code for name, code in CODES.items()} | {"nld": "nl", "deu": "de"}
    if first in codes:
        return codes[first]
    if len(first) == 2 and first.isalpha():
        return first
    raise UserError(f"language {language!r} is not known{nearest(text, CODES)}; use its ISO code")
