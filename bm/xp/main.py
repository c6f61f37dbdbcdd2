"""Decorated main: Dora's, with fast resolution and mistakes of the user in one line."""

from __future__ import annotations

import contextlib
import copy
import functools
import getpass
import json
import logging
import os
import re
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import hydra
from dora import get_xp, is_xp, link
from dora import grid as dora_grid
from dora import run as dora_run
from dora.conf import DoraConfig, SlurmConfig
from dora.distrib import get_distrib_spec
from dora.explore import Explorer, Launcher
from dora.hydra import HydraMain
from dora.shep import Sheep, Shepherd
from dora.xp import XP
from hydra import initialize_config_dir
from hydra._internal.hydra import Hydra
from omegaconf import DictConfig

from ..errors import UserError, nearest
from ..registry import check_known
from ..writing import check_writable, disk_mistake
from . import guard, listing, site, terminal
from .files import DamagedFileError, read_history, write_text
from .history import push_metrics, update_history
from .identity import canonical, lasting
from .quoting import quote, quote_place, value_text
from .resolve import Resolution, Resolver, simplify
from .workers import INTERRUPTED, start_workers

logger = logging.getLogger(__name__)


class UnknownSignatureError(UserError, RuntimeError):
    """No experiment of that signature here; a RuntimeError too, as Dora expects."""


def fail(error: UserError) -> NoReturn:
    """Print the one line of a mistake and leave with its exit code."""
    print(f"error: {error}", file=sys.stderr)
    sys.exit(error.exit_code)


def called_from_shell() -> bool:
    """Return whether `dora ...` or `python -m bm.train` runs: mistakes end the process there."""
    module = sys.modules.get("__main__")
    name = getattr(getattr(module, "__spec__", None), "name", "") or ""
    return name.startswith("dora") or name == "bm.train" or Path(sys.argv[0]).name == "dora"


class Experiment(XP):
    """Dora's experiment whose configuration is composed when it is read.

    A grid needs the signatures of a thousand experiments and the configuration of few.
    """

    def __init__(self, dora: DoraConfig, argv: list[str], resolution: Resolution) -> None:
        self._resolution = resolution
        self._config: DictConfig | None = None
        delta = canonical(resolution.delta(), resolution.base.plain)
        super().__init__(dora=dora, cfg=None, argv=argv, delta=delta)

    @property
    def cfg(self) -> DictConfig:
        """Return the resolved configuration."""
        if self._config is None:
            self._config = self._resolution.config()
        return self._config

    @cfg.setter
    def cfg(self, value: DictConfig | None) -> None:
        self._config = value


#: A word in quotes that Hydra reads as the same text without them.
PLAIN_WORD = re.compile(r'"(?!(?:true|false|null|nan|inf)")([A-Za-z][\w.-]*)"', re.IGNORECASE)


class Main(HydraMain):
    """Dora's Hydra main with resolution in 2 ms instead of 126, and readable mistakes."""

    _slow = False  # resolved in this process: no pool of four, no fork

    def __init__(
        self, main: Callable[[DictConfig], None], config_name: str, config_path: str, **kwargs: Any
    ) -> None:
        super().__init__(main, config_name, config_path, **kwargs)
        folder = Path(self.full_config_path).resolve()
        self.config_path = str(folder)  # Hydra would look beside the file of the wrapped function
        self.resolver = Resolver(self._compose, self._config_groups, folder)
        self.shell = called_from_shell()

    def _get_config_groups(self) -> list[str]:
        """Return the folders of the configuration that hold choices, and their parents.

        Hydra lists only folders that hold files themselves, so that `solver=eegdiff/raw` would not
        count as the choice of a group, and takes a quarter of a second. Folders that begin with an
        underscore (`dset/_features`) hold parts, which nobody chooses.
        """
        root = Path(self.full_config_path).resolve()
        inside = {file.relative_to(root).parent for file in root.rglob("*.yaml")}
        groups = {part.as_posix() for path in inside for part in (path, *path.parents)} - {"."}
        return sorted(group for group in groups if "/_" not in f"/{group}")

    def _compose(self, overrides: list[str]) -> DictConfig:
        if not overrides:
            return self._base_cfg
        with initialize_config_dir(
            str(self.full_config_path), job_name=self._job_name, **self.hydra_kwargs
        ):
            return self._get_config_noinit(overrides)

    def short_name_part(self, key: str, value: object) -> str:
        """Return `optim.lr=0.001`, as it can be typed: Dora's own `opt.lr` names no key."""
        if isinstance(value, list | dict):
            return key + "=" + PLAIN_WORD.sub(r"\1", value_text(value))
        shown = value.name if isinstance(value, Path) else value
        return f"{key}={str(shown).lower() if isinstance(shown, bool) else shown}"

    def get_slurm_config(self) -> SlurmConfig:
        """Return the default resources with those of the site; an unknown key is a mistake."""
        try:
            slurm = super().get_slurm_config()
        except AttributeError as error:  # what Dora raises for a key that it does not know
            self.refuse(UserError(f"conf/config.yaml, slurm: {error}"))
        try:
            for key, value in site.read().get("slurm", {}).items():
                check_known(f"key of slurm: in {site.path()}", str(key), vars(slurm))
                setattr(slurm, key, value)
        except UserError as error:
            self.refuse(error)
        return slurm

    def value_to_argv(self, arg: object) -> list[str]:
        """Return the arguments of a value that a grid hands to its launcher.

        Raises:
            UserError: it has no text form (a numpy number, a path, a key with a colon).
        """
        try:
            if not isinstance(arg, Mapping):
                return super().value_to_argv(arg)
            # the option of a group is a name, everything else a value
            return [
                f"{key}={value if key in self._config_groups else value_text(value)}"
                for key, value in arg.items()
            ]
        except (TypeError, ValueError) as error:
            raise UserError(f"{arg!r}: {error}; give plain numbers, text, lists") from None

    def refuse(self, error: UserError) -> NoReturn:
        """Leave with one line and exit code 2 on a command line; raise for callers in Python."""
        if self.shell:
            fail(error)
        raise error

    def resolve(self, argv: Sequence[str]) -> XP:
        """Return the experiment of a list of arguments; raise `UserError` on a mistake."""
        simple = self.resolver.spell_out(simplify(map(quote_place, argv)))
        return Experiment(self.dora, simple, self.resolver.resolve(simple))

    def get_xp(self, argv: Sequence[str]) -> XP:
        """Return the same as `resolve`; on a command line a mistake is one line and exit code 2."""
        try:
            return self.resolve(argv)
        except UserError as error:
            self.refuse(error)

    def _main(self) -> Any:
        """Call Hydra with the folder of the experiment, and paths of the user, as it reads them."""
        words = sys.argv
        try:
            sys.argv = [words[0], *self.resolver.spell_out(list(map(quote_place, words[1:])))]
        except UserError as error:
            self.refuse(error)
        if is_xp():
            # Hydra, which opens a log there, would answer by a traceback
            check_writable(Path(get_xp().folder))
            # not Dora's own: it appends the folder without quotes
            sys.argv.append(f"hydra.run.dir={quote(str(get_xp().folder))}")
            if get_distrib_spec().rank > 0:
                sys.argv.append("hydra.output_subdir=null")
        try:
            with _no_mode():
                return hydra.main(
                    config_name=self.config_name, config_path=self.config_path, **self.hydra_kwargs
                )(self.main)()
        finally:
            sys.argv = words

    def init_xp(self, xp: XP) -> XP:
        """Make the folder of an experiment and store the arguments that belong to it.

        Keys outside the signature are for one run and are not stored.
        """
        argv = lasting(xp.argv, self.dora)
        if xp.dora.shared is not None:
            stored = copy.copy(xp)
            stored.argv = argv
            super().init_xp(stored)
        text = json.dumps(argv)
        # every process of a distributed run comes here: what is there already is not written again
        if not xp._argv_cache.exists():
            write_text(xp._argv_cache, text)
        elif xp._argv_cache.read_text() != text:
            # an experiment of another user, who wrote it in other words: it can be looked at
            with contextlib.suppress(UserError):
                write_text(xp._argv_cache, text)
        return xp

    def __call__(self) -> Any:
        """Run what the command line asks for."""
        with self.one_line():
            return super().__call__()

    @contextlib.contextmanager
    def one_line(self) -> Iterator[None]:
        """Refuse mistakes of the user and an output folder that cannot be used; see `refuse`."""
        try:
            yield
        except UserError as error:
            self.refuse(error)
        except OSError as error:
            mistake = disk_mistake(error, self.dora.dir)
            if mistake is None:
                raise
            self.refuse(mistake)

    def known_signatures(self) -> list[str]:
        """Return the signatures of all experiments in the output folder."""
        folder = Path(self.dora.dir) / self.dora.xps
        return sorted(p.parent.name for p in folder.glob("*/.argv.json"))

    def argv_of(self, sig: str) -> Sequence[str]:
        """Return the arguments of a stored experiment; raise `UnknownSignatureError`."""
        try:
            # experiments of earlier versions hold `show=true` and the like
            argv = super().get_argv_from_sig(sig)
            if not (isinstance(argv, list) and all(isinstance(word, str) for word in argv)):
                raise ValueError
            return lasting(argv, self.dora)
        except ValueError:
            path = Path(self.dora.dir) / self.dora.xps / sig / ".argv.json"
            raise UserError(
                f"{path}: damaged; run the experiment by its arguments once, which writes it again"
            ) from None
        except RuntimeError:
            folder = Path(self.dora.dir) / self.dora.xps
            hint = nearest(sig, self.known_signatures())
            raise UnknownSignatureError(f"no experiment {sig!r} in {folder}{hint}") from None

    def get_argv_from_sig(self, sig: str) -> Sequence[str]:
        """Return the same as `argv_of`; on a command line a mistake is one line and exit code 2."""
        try:
            return self.argv_of(sig)
        except UserError as error:
            self.refuse(error)

    def get_xp_from_sig(self, sig: str) -> XP:
        """Return a stored experiment; raise `UnknownSignatureError`, never end the process."""
        return self.resolve(self.argv_of(sig))


@contextlib.contextmanager
def _no_mode() -> Iterator[None]:
    """Let the command line alone say whether this is one run.

    Hydra would compose the whole configuration once more to ask it, for a tenth of a second.
    """
    before = Hydra.get_mode
    Hydra.get_mode = lambda self, config_name, overrides: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        Hydra.get_mode = before  # type: ignore[method-assign]


def _guarded(main: Callable[[DictConfig], None]) -> Callable[[DictConfig], None]:
    """Wrap main so that user errors are one line and exit code 2, under Hydra too."""

    def guarded(cfg: DictConfig) -> None:
        try:
            main(cfg)
        except UserError as error:
            fail(error)
        except OSError as error:
            mistake = disk_mistake(error, str(get_xp().folder))
            if mistake is None:
                raise
            fail(mistake)

    # Dora finds the configuration folder beside the module of main.
    guarded.__module__, guarded.__name__ = main.__module__, main.__name__
    guarded.__qualname__, guarded.__doc__ = main.__qualname__, main.__doc__
    return guarded


def bm_main(
    config_name: str, config_path: str, version_base: str = "1.3"
) -> Callable[[Callable[[DictConfig], None]], Main]:
    """Return the decorator of `main(cfg)`; `config_path` is relative to the file of `main`."""

    def decorate(main: Callable[[DictConfig], None]) -> Main:
        mend_dora()
        try:
            site.set_environment(site.read())
        except UserError as error:
            if called_from_shell():
                fail(error)
            raise
        return Main(_guarded(main), config_name, config_path, version_base=version_base)

    return decorate


def mend_dora() -> None:
    """Mend the defects of Dora 0.1.13 that its users meet; a second call does nothing."""
    # Every decorated main calls this.
    if getattr(dora_grid, "_mended_by_bm", False):
        return
    dora_grid._mended_by_bm = True  # type: ignore[attr-defined]
    _mend_login()
    link.Link.load = _load_history  # type: ignore[method-assign]
    link.Link.push_metrics = push_metrics  # type: ignore[method-assign,assignment]
    link.Link.update_history = update_history  # type: ignore[method-assign,assignment]
    dora_grid._get_explore = _explorer_or_fail  # type: ignore[assignment]
    _mend_grid()
    _mend_shepherd()
    terminal.install()
    if called_from_shell():
        _mend_interrupt()
    dora_run.start_ddp_workers = _start_workers
    _mend_git_save()


def _mend_shepherd() -> None:
    """Let every verb answer with one line where the output folder cannot be written, and name
    finished experiments whose recipe was edited since before others are trained beside them."""
    init, maybe_submit = Shepherd.__init__, Shepherd.maybe_submit_lazy

    @functools.wraps(init)
    def guarded(shepherd: Shepherd, main: Main, *args: Any, **kwargs: Any) -> None:
        with main.one_line():
            init(shepherd, main, *args, **kwargs)

    @functools.wraps(maybe_submit)
    def compared(shepherd: Shepherd, sheep: Sheep, *args: Any, **kwargs: Any) -> None:
        guard.warn_of_changes(Path(sheep.xp.folder), sheep.xp.cfg)
        maybe_submit(shepherd, sheep, *args, **kwargs)

    Shepherd.__init__ = guarded  # type: ignore[method-assign,assignment]
    Shepherd.maybe_submit_lazy = compared  # type: ignore[method-assign,assignment]


def _start_workers(main: Main, argv: Sequence[str], num_workers: int | None = None) -> None:
    """Start the processes of `-d`; an output folder that cannot be written is one line."""
    with main.one_line():
        start_workers(main, argv, num_workers)


def _mend_interrupt() -> None:
    """Answer Ctrl-C with a word on a command line, wherever it comes; bugs keep their traceback."""
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            print("\nstopped", file=sys.stderr)
        else:
            before(kind, error, trace)

    sys.excepthook = hook


def _load_history(self: link.Link) -> None:
    """Read the history of an experiment; a damaged one is named, and counts as empty."""
    if self.history_file is None:
        return
    try:
        # renamed into place: there is nothing half-written that a second try would find whole
        self.history = read_history(Path(self.history_file))
    except DamagedFileError as error:
        logger.warning("%s", error)
        self.history = []


def drop_moved_links(grid: Path, xps: Path) -> None:
    """Remove links of a grid that show where its output folder was before it moved.

    Dora's links are absolute, and it stops at one that shows elsewhere; it makes them anew.

    Args:
        grid: folder of links by signature; it may be absent.
        xps: folder of the experiments.
    """
    for child in grid.glob("*"):
        if child.is_symlink() and child.resolve() != (xps / child.name).resolve():
            child.unlink()


def _mend_grid() -> None:
    """End the command with one line when a grid file has a mistake (an argument, an address).

    Only the call of the command line is wrapped: `run_grid` of a script raises.
    """
    run_grid = dora_grid.run_grid

    @functools.wraps(run_grid)
    def run(main: Main, explorer: Explorer, *args: Any, **kwargs: Any) -> list[Sheep]:
        objects = (*args, *kwargs.values())
        launcher = next((one for one in objects if hasattr(one, "interval")), None)
        interval = terminal.interval_of(sys.argv[1:])
        if launcher is not None and launcher._from_commandline and interval is not None:
            launcher.interval = interval
        try:
            with main.one_line():
                folder = Path(main.dora.dir)
                for name in (one for one in objects if isinstance(one, str)):
                    drop_moved_links(folder / main.dora._grids / name, folder / main.dora.xps)
                return run_grid(main, explorer, *args, **kwargs)
        except KeyboardInterrupt:
            if launcher is None or not launcher._from_commandline:
                raise
            name = next((one for one in args if isinstance(one, str)), "NAME")
            print(
                f"\nleft; what was submitted goes on: `dora grid {name}` shows it, "
                f"`dora grid {name} -C` cancels it", file=sys.stderr,
            )  # fmt: skip
            sys.exit(INTERRUPTED)

    dora_grid.run_grid = run  # type: ignore[assignment]
    slurm_ = Launcher.slurm_

    @functools.wraps(slurm_)
    def checked(launcher: Launcher, **kwargs: Any) -> Launcher:
        for key in kwargs:
            check_known("key of launcher.slurm_", key, vars(launcher._slurm))
        return slurm_(launcher, **kwargs)

    Launcher.slurm_ = checked  # type: ignore[method-assign,assignment]


def _mend_login() -> None:
    """Let `os.getlogin` work without a login terminal (container, cron).

    Dora calls it when a killed submission left a file in outputs/orphans, in every command.
    """
    try:
        os.getlogin()
    except OSError:
        os.getlogin = getpass.getuser


def _mend_git_save() -> None:
    """Make the folder of an experiment that never ran before the link to its clone."""
    from dora import git_save

    assign = git_save.assign_clone

    def assign_clone(xp: XP, clone: Path) -> None:
        xp.folder.mkdir(parents=True, exist_ok=True)
        assign(xp, clone)

    git_save.assign_clone = assign_clone


def _explorer_or_fail(args: Namespace, main: Main) -> Explorer:
    """Return the explorer of the named grid; a wrong name is one line and exit code 2, not 0."""
    package = main.dora.grid_package or f"{main.package}.grids"
    # Dora lists every .py file below grids/, helpers too, and exits with 0 for a wrong name.
    if args.grid is None:
        print("grids: " + ", ".join(listing.grid_names(package)))
        sys.exit(0)
    try:
        return listing.explorer_of(args.grid, package)
    except UserError as error:
        fail(error)
