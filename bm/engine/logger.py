"""Log of a run: lines of text, and on request TensorBoard and W&B."""

from __future__ import annotations

import logging
import math
import netrc
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..errors import UserError
from ..registry import check_known

if TYPE_CHECKING:
    from .narration import Epochs

logger = logging.getLogger("bm.solver")
#: Least seconds between lines of progress in a file: a short run has one line an epoch.
QUIET_S = 10.0
#: Least seconds between two states of the bar on a terminal.
LIVE_S = 0.2


def show_metrics(metrics: Mapping[str, float]) -> str:
    """Return `loss 0.693 | accuracy 0.5`, at most four digits each."""
    return " | ".join(f"{name} {value:.4g}" for name, value in metrics.items())


class Logger:
    """Progress of one experiment; silent in all but the first process.

    Args:
        folder: of the experiment.
        sig: its signature, the id of the W&B run.
        config: whole configuration (`log` and `wandb` groups are read).
        active: false in other processes.
    """

    def __init__(self, folder: Path, sig: str, config: Mapping[str, Any], active: bool) -> None:
        self.active = active
        self.every = config["log"]["every"]
        self.writer: Any = None
        self.wandb: Any = None
        self.epochs: Epochs | None = None  # makes the line of an epoch, once training begins
        self.live = active and sys.stderr.isatty()
        self._said = self._drawn = time.monotonic()
        mode = config["wandb"]["mode"]
        check_known("wandb.mode", mode, ("disabled", "offline", "online"))
        if active and config["log"]["tensorboard"]:
            from torch.utils.tensorboard import SummaryWriter

            self.writer = SummaryWriter(str(folder / "tensorboard"))
        if active and mode != "disabled":
            self.wandb = _open_wandb(folder, sig, config["wandb"])

    def line(self, text: str, *arguments: Any) -> None:
        """Write one line of text."""
        if self.active:
            self._clear()
            self._said = time.monotonic()
            logger.info(text, *arguments)

    def _clear(self) -> None:
        if self.live:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def due(self, index: int, total: int) -> bool:
        """Return whether a progress line is due after `index` batches of `total`."""
        if not self.active or self.every <= 0:
            return False
        if self.live:
            return time.monotonic() - self._drawn >= LIVE_S
        # `log.every` lines an epoch, however many batches it has, but none right after another.
        often = index % max(1, math.ceil(total / self.every)) == 0
        return often and time.monotonic() - self._said >= QUIET_S

    def progress(
        self, head: str, index: int, total: int, speed: float, metrics: Mapping[str, float]
    ) -> None:
        """Write `train 3 | 10/50 | 12.3 it/sec | loss 0.5`; `speed` in batches per second."""
        if self.live:  # a terminal: one line that changes, and none that stays
            self._drawn = time.monotonic()
            bar = "#" * round(20 * index / max(1, total))
            text = f"{head} [{bar:<20}] {index}/{total} | {show_metrics(metrics)}"
            print(f"\r\033[K{text[:100]}", end="", file=sys.stderr, flush=True)
            return
        self.line("%s | %d/%d | %.1f it/sec | %s", head, index, total, speed, show_metrics(metrics))

    def epoch(self, epoch: int, groups: Mapping[str, Mapping[str, float]]) -> None:
        """Write the metrics of one epoch, by stage."""
        if not self.active:
            return
        if self.epochs is not None:
            self.line("%s", self.epochs.line(epoch, groups))
        for stage, metrics in groups.items() if self.epochs is None else ():
            if stage != "perf":
                self.line("%s summary | epoch %d | %s", stage, epoch, show_metrics(metrics))
        flat = {f"{s}/{k}": v for s, m in groups.items() for k, v in m.items()}
        if self.writer is not None:
            for name, value in flat.items():
                self.writer.add_scalar(name, value, epoch)
            self.writer.flush()
        if self.wandb is not None:
            self.wandb.log({**flat, "epoch": epoch})

    def close(self) -> None:
        """Flush and release everything."""
        if self.writer is not None:
            self.writer.close()
        if self.wandb is not None:
            self.wandb.finish()


def _open_wandb(folder: Path, sig: str, options: Mapping[str, Any]) -> Any:
    """Open the W&B run of an experiment.

    Raises:
        UserError: no package, no key for mode online, or whatever W&B itself refuses.
    """
    mode, remedy = options["mode"], "or use wandb.mode=offline or disabled"
    try:
        import wandb
    except ImportError:
        raise UserError(
            f"wandb.mode={mode}: the package wandb is not installed; pip install wandb, or use "
            "wandb.mode=disabled"
        ) from None
    # without a key W&B asks at a terminal, or ends with pages of its own
    if mode == "online" and not has_key():
        raise UserError(
            f"wandb.mode=online: no key of W&B; run `wandb login`, set WANDB_API_KEY, {remedy}"
        )
    names = {"project": options["project"], "group": options["group"], "id": sig, "name": sig}
    try:
        return wandb.init(**names, mode=mode, dir=str(folder), resume="allow")
    except Exception as error:
        if not type(error).__module__.startswith("wandb"):
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise UserError(f"wandb.mode={mode}: {reason}; mend it, {remedy}") from error


def has_key() -> bool:
    """Return whether W&B finds a key: in the environment, or as `wandb login` stores it."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    # Own servers keep their key under their own host.
    host = urlsplit(os.environ.get("WANDB_BASE_URL") or "https://api.wandb.ai").hostname or ""
    names = [os.environ.get("NETRC"), "~/.netrc", "~/_netrc"]
    for path in (Path(name).expanduser() for name in names if name):
        try:
            entry = netrc.netrc(path).authenticators(host)
        except (OSError, netrc.NetrcParseError):
            continue
        if entry is not None and entry[2]:
            return True
    return False
