"""Download of a study's files: whole or absent, one process at a time, checked when run again."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import os
import re
import shutil
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.message import Message
from pathlib import Path

from filelock import FileLock

from ..errors import UserError
from ..writing import aside_of, replacing, write_text

logger = logging.getLogger(__name__)
BLOCK = 1 << 20  # bytes read at once
#: Beside the files: name -> {size, sha256} of what was fetched.
RECORD = "fetched.json"


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Hold the lock of a study's folder; create the folder when there is none.

    Raises:
        UserError: it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".download.lock")
        lock.acquire()
    except OSError as error:
        raise UserError(
            f"paths.studies: cannot write to {folder} ({error.strerror or error}); "
            "choose another folder with paths.studies=... or BM_DATA"
        ) from None
    try:
        yield
    finally:
        lock.release()


def fetch(url: str, folder: Path, name: str | None = None, checksum: str | None = None) -> Path:
    """Fetch a file of the web into `folder`, unless it is there and whole.

    Args:
        url: where it is.
        folder: of the study, locked by the caller.
        name: of the file; None = what the server calls it (Content-Disposition).
        checksum: as published, `sha256:HEX` or `md5:HEX`; None = what the server's headers say.

    Returns:
        path of the file.

    Raises:
        UserError: no answer, less than was promised, another content than was published, or a
            name that a file of data cannot have.
    """
    record = _record(folder)
    former = next((folder / n for n, one in record.items() if one["url"] == url), None)
    if former is not None and former.is_file():
        if former.stat().st_size == record[former.name]["size"]:
            return former
        logger.warning("%s has another size than what was fetched; fetched again", former)
    aside = aside_of(folder / "part")
    try:
        with urllib.request.urlopen(url, timeout=60) as answer, open(aside, "wb") as file:
            target = folder / _safe_name(url, name or answer.headers.get_filename())
            promised = answer.headers.get("Content-Length")
            checksum = checksum or _published(answer.headers)
            kind = checksum.partition(":")[0] if checksum else "sha256"
            digest, other = hashlib.sha256(), hashlib.new(kind, usedforsecurity=False)
            while block := answer.read(BLOCK):
                digest.update(block)
                other.update(block)
                file.write(block)
            # On the disk before it has its name: after a power cut the file is whole or absent.
            file.flush()
            os.fsync(file.fileno())
        size = aside.stat().st_size
        if promised is not None and size != int(promised):
            raise UserError(f"{url}: {size} of {promised} bytes came; run it again")
        if checksum is not None and checksum != f"{kind}:{other.hexdigest()}":
            raise UserError(
                f"{url}: the content is not what was published ({checksum}); run it again, or "
                f"fetch it by hand into {folder}"
            )
        if target.name in record and record[target.name]["sha256"] != digest.hexdigest():
            logger.warning("%s: the content is not what was fetched before", target)
        os.replace(aside, target)
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise UserError(
            f"{url} cannot be fetched ({reason}); fetch it by hand into {folder}"
        ) from None
    finally:
        aside.unlink(missing_ok=True)
    # "published": what the content was checked against, null where nothing is published
    entry = {"url": url, "size": size, "sha256": digest.hexdigest(), "published": checksum}
    _note(folder, {target.name: entry})
    return target


def _safe_name(url: str, name: str | None) -> str:
    """Return the file name of a download; raise `UserError` for one that only we write."""
    # A server may send a path, of either system; only its name counts.
    last = Path((name or urllib.parse.urlsplit(url).path).replace("\\", "/")).name
    if not last or last.startswith(".") or last == RECORD or not last.isprintable():
        raise UserError(f"{url}: the server calls its file {name or last!r}; fetch it by hand")
    return last


def _published(headers: Message) -> str | None:
    """Return the checksum that a server's headers publish, `sha256:HEX` or `md5:HEX`."""
    # RFC 9530 and its forerunner RFC 3230, RFC 1864, and Google's object store.
    texts = {
        "sha256": [
            *re.findall(r"sha-256=:?([A-Za-z0-9+/=]{44}):?", str(headers.get("Repr-Digest", ""))),
            *re.findall(r"(?i)sha-256=([A-Za-z0-9+/=]{44})", str(headers.get("Digest", ""))),
        ],
        "md5": [
            *re.findall(r"^[A-Za-z0-9+/=]{24}$", str(headers.get("Content-MD5", "")).strip()),
            *re.findall(r"md5=([A-Za-z0-9+/=]{24})", str(headers.get("x-goog-hash", ""))),
        ],
    }
    for kind, encoded in texts.items():
        if encoded:
            return f"{kind}:{base64.b64decode(encoded[0]).hex()}"
    return None


def _record(folder: Path) -> dict[str, dict]:
    """Return what the record of a folder says; nothing where it is absent or damaged."""
    path = folder / RECORD
    try:
        record = json.loads(path.read_text()) if path.exists() else {}
    except ValueError:  # empty, cut short, or no text
        record = None
    if not isinstance(record, dict) or not all(_is_entry(one) for one in record.values()):
        logger.warning("%s is damaged; what it listed is fetched again", path)
        return {}
    return record


def _is_entry(entry: object) -> bool:
    return isinstance(entry, dict) and {"url", "size", "sha256"} <= entry.keys()


def _note(folder: Path, more: Mapping[str, dict]) -> None:
    text = json.dumps({**_record(folder), **more}, indent=1, sort_keys=True) + "\n"
    write_text(folder / RECORD, text)


def unpack(archive: Path, folder: Path, prefix: str = "") -> None:
    """Unpack a zip into `folder`, each file whole or absent; those that are there stay.

    Args:
        archive: the zip.
        folder: takes all files.
        prefix: of names in the zip, which is left out.

    Raises:
        UserError: damaged, or a name that leads out of the folder.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            for entry in file.infolist():
                target = folder / entry.filename.removeprefix(prefix)
                # macOS adds a folder of attributes, with files named like the recordings.
                if entry.is_dir() or "__MACOSX" in entry.filename:
                    continue
                if not target.resolve().is_relative_to(folder.resolve()):
                    raise UserError(f"{archive}: {entry.filename} leads out of {folder}")
                if target.is_file() and target.stat().st_size == entry.file_size:
                    continue
                # not flushed one by one: what a power cut takes is unpacked again by its size
                with (
                    file.open(entry) as source,
                    replacing(target, durable=False) as aside,
                    open(aside, "wb") as out,
                ):
                    shutil.copyfileobj(source, out, BLOCK)
    except (zipfile.BadZipFile, EOFError) as error:
        raise UserError(f"{archive}: damaged ({error}); remove it and run again") from None


def unpack_into(archive: Path, folder: Path) -> None:
    """Unpack a zip so that its files end in `folder`, whether it names that folder or not.

    Raises:
        UserError: see `unpack`.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            inside = any(name.startswith(f"{folder.name}/") for name in file.namelist())
    except zipfile.BadZipFile as error:
        raise UserError(f"{archive}: damaged ({error}); remove it and run again") from None
    # Not into the folder above: another name in the zip would end beside the study's files.
    unpack(archive, folder, f"{folder.name}/" if inside else "")
