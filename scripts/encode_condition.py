"""`python -m scripts.encode_condition solver=eegdiff/zuco_mel|dset=NAME|texts=FILE [encoder=...]`.

Computes the states of a text encoder for every sentence of a data set, or every line of a file, so
that a model with a text condition finds them: each is computed once. An interrupted run goes on
where it was. Other `key=value` words change the configuration, as in `dora run`.

  encoder=NAME    a folder or name on the hub, or `hashed`, which needs no network; by default that
                  of solver.text
  tokens=56       most tokens of a sentence; longer ones are cut
  out=FOLDER      default: paths.cache/encodings/<encoder and a hash of its files>
  device=auto     cpu, cuda

  python -m scripts.encode_condition solver=eegdiff/zuco_mel encoder=hashed
  python -m scripts.encode_condition texts=sentences.txt encoder=hashed
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bm.errors import UserError

from ._arguments import device_of, main_of

ARGUMENTS = ("texts", "encoder", "tokens", "out", "device")


def command(
    texts: str | None = None,
    encoder: str | None = None,
    tokens: int = 0,
    out: str | None = None,
    device: str = "auto",
    overrides: Sequence[str] = (),
) -> int:
    """Encode what is missing, and print how much there is."""
    if texts is None and not overrides:
        raise UserError("which sentences? use solver=eegdiff/zuco_mel, dset=zuco or texts=FILE")
    typed = _lines(Path(texts)) if texts is not None else None
    # after the arguments are checked: transformers takes seconds, a mistake should take none
    from bm.features.encodings import EncodingCache, encode, folder_of_encoder
    from bm.features.text_encoder import text_encoder
    from bm.solvers.build_data import absolute_paths
    from bm.solvers.text_condition import encodings_folder, text_options
    from bm.train import main
    from bm.xp.resolve import to_plain

    config = main.resolve(list(overrides)).cfg
    options = text_options(to_plain(config.solver.get("text")))
    options = replace(options, encoder=encoder or options.encoder, tokens=tokens or options.tokens)
    paths = absolute_paths(config.paths)
    sentences = _sentences(config, paths) if typed is None else typed
    reader = text_encoder(options, paths["models"], device_of(device))
    folder = folder_of_encoder(encodings_folder(paths), reader) if out is None else Path(out)
    cache = EncodingCache(folder, reader.identity)
    count = encode(["", *sentences], cache, reader, _tick)
    print(f"{count} sentences encoded, {len(cache.files)} in {folder}")
    return 0


def _tick(done: int, total: int) -> None:
    print(f"encoded {done} of {total} sentences", flush=True)


def _lines(path: Path) -> list[str]:
    """Return the lines of a text file that are not empty."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"texts={path}: {error}; give a text file, a sentence a line") from None
    texts = [line.strip() for line in lines if line.strip()]
    if not texts:
        raise UserError(f"texts={path}: no sentence in it")
    return texts


def _sentences(config: object, paths: dict) -> list[str]:
    """Return the texts of the sentences of a data set, from its events alone."""
    from bm.studies import recordings_of
    from bm.studies.choice import Choice
    from bm.xp.resolve import to_plain

    dset = to_plain(config.dset)  # type: ignore[attr-defined]
    recordings, _ = recordings_of(dset["studies"], paths, Choice.of(dset))
    texts: dict[str, None] = {}
    for recording in recordings:
        events = recording.events()
        if "text" in events:
            texts |= dict.fromkeys(map(str, events["text"].dropna()))
    if not texts:
        raise UserError("the data set has no sentences; use zuco, simulated_reading or texts=FILE")
    return list(texts)


def _words() -> tuple[list[str], list[str]]:
    """Return the arguments of the command, and the overrides of the configuration."""
    arguments = [w for w in sys.argv[1:] if "=" not in w or w.partition("=")[0] in ARGUMENTS]
    return arguments, [w for w in sys.argv[1:] if w not in arguments]


if __name__ == "__main__":
    mine, others = _words()
    sys.exit(main_of(command, mine, overrides=others))
