"""A disk in memory: files that are torn or lost with the power, and paths that lead to it."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from bm.errors import UserError

if TYPE_CHECKING:
    from .world import World


class Disk:
    """Contents by path, and what of them would be left after a power cut.

    Every change is a point at which the process may die, or another one may run.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.files: dict[str, bytes] = {}
        #: path -> what a power cut may bring back: the folder was not flushed since
        self.olds: dict[str, list[bytes | None]] = {}
        self.unflushed: set[str] = set()  # paths whose bytes may be torn
        self.stamp = 0

    def put(self, path: str, content: bytes | None, durable: bool) -> None:
        """Give a path its content at once; None removes it."""
        olds = [*self.olds.get(path, []), self.files.get(path)]
        if content is None:
            self.files.pop(path, None)
        else:
            self.files[path] = content
        self.stamp += 1
        self.olds[path] = olds
        self.unflushed.discard(path) if durable else self.unflushed.add(path)

    def write(self, path: SimPath, text: str | bytes, durable: bool = True) -> None:
        """Stand in for `bm.writing.write_text`: aside, flush, rename."""
        content = text if isinstance(text, bytes) else text.encode()
        for step in ("create", "write", "flush") if durable else ("create", "write"):
            self.world.point(f"{step} {path.name}")
            if step == "write" and self.world.full():
                raise UserError(f"{path}: cannot be written: no space left")
        self.put(str(path), content, durable)
        self.world.point(f"renamed {path.name}")

    def lose_power(self) -> None:
        """Leave of every file that is not safe one of the contents that it may have."""
        for path in {**self.olds, **dict.fromkeys(self.unflushed)}:
            present = self.files.get(path)
            contents = [*self.olds.get(path, []), present]
            if path in self.unflushed and present:  # a name may reach the disk before the bytes
                contents += [b"", present[: len(present) // 2]]
            content = self.world.draw.choice(contents)
            if content is None:
                self.files.pop(path, None)
            else:
                self.files[path] = content
        self.settle()

    def sync(self, path: SimPath) -> None:
        """Stand in for `bm.writing.sync`, of the bytes of a file or of the names in a folder."""
        self.world.point(f"sync {path.name}")
        self.unflushed.discard(str(path))
        for name in [n for n in self.olds if n.rpartition("/")[0] == str(path)]:
            del self.olds[name]

    def settle(self) -> None:
        """Let the system bring everything to the disk, as it does within half a minute."""
        self.olds.clear()
        self.unflushed.clear()


class SimPath(str):
    """Path on the disk of the world that runs; text, since pathlib's took a third of the time."""

    world: World
    __slots__ = ()

    def __truediv__(self, name: str) -> SimPath:
        return SimPath(f"{self}/{name}")

    @property
    def name(self) -> str:
        return self.rpartition("/")[2]

    @property
    def parent(self) -> SimPath:
        return SimPath(self.rpartition("/")[0])

    @property
    def stem(self) -> str:
        return self.name.rpartition(".")[0]

    def exists(self) -> bool:
        return self in self.world.disk.files

    def is_file(self) -> bool:
        return self.exists()

    def mkdir(self, *args: Any, **kwargs: Any) -> None:
        pass

    def resolve(self) -> SimPath:
        return self

    def glob(self, pattern: str) -> Iterator[SimPath]:
        first, _, last = pattern.partition("*")
        start, end = f"{self}/{first}", last
        for name in [n for n in self.world.disk.files if n.startswith(start) and n.endswith(end)]:
            if "/" not in name[len(start) :]:
                yield SimPath(name)

    def stat(self) -> SimpleNamespace:
        return SimpleNamespace(st_mtime_ns=self.world.disk.stamp)

    def read_bytes(self) -> bytes:
        try:
            return self.world.disk.files[self]
        except KeyError:
            raise FileNotFoundError(str(self)) from None

    def read_text(self, encoding: str = "utf-8") -> str:
        return self.read_bytes().decode(encoding)

    def unlink(self, missing_ok: bool = False) -> None:
        if not self.exists():
            if missing_ok:
                return
            raise FileNotFoundError(str(self))
        self.world.point(f"unlink {self.name}")
        self.world.disk.put(str(self), None, durable=True)

    def symlink_to(self, target: object) -> None:
        pass
