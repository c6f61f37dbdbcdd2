"""What `dora grid` and `dora info` print where nobody watches."""

from __future__ import annotations

from pathlib import Path

import pytest
from dora import log as dora_log

from bm.xp import terminal


def test_a_file_gets_no_colours_countdowns_or_equal_tables(
    capsys: pytest.CaptureFixture[str],
) -> None:
    say = terminal.Plain()
    table = "\x1b[1mname\x1b[0m state\nab12cd34 RUN"
    for _ in range(3):
        say("Next update in 5 seconds", end="\r")
        say()
        say(table)
    say("Base name: ", "x")
    say(table.replace("RUN", "COM"))
    out = capsys.readouterr().out
    assert out == "name state\nab12cd34 RUN\nBase name:  x\nname state\nab12cd34 COM\n"


def test_the_end_of_a_log_is_printed_and_the_command_returns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Symptom: `dora info -f SIG -t` followed the log for ever."""
    path = tmp_path / "log"
    path.write_text("".join(f"line {k}\n" for k in range(500)))
    terminal.EndOfLog().execvp("tail", ["tail", "-n", "200", "-f", path])
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == "line 300" and out.splitlines()[-1] == "line 499"
    assert f"tail -f {path}" in err


def test_a_terminal_follows_a_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class FollowedError(Exception):
        pass

    def execvp(program: str, words: list[str]) -> None:
        raise FollowedError(program, *words)

    monkeypatch.setattr(terminal.os, "execvp", execvp)
    monkeypatch.setattr(terminal.sys.stdout, "isatty", lambda: True, raising=False)
    with pytest.raises(FollowedError, match="tail"):
        terminal.EndOfLog().execvp("tail", ["tail", "-f", tmp_path / "log"])


def test_messages_of_dora_have_no_weight_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    """Symptom: `\\x1b[1mGrid:\\x1b[0m Queued job` in the log of a demo."""
    terminal.install()
    dora_log.simple_log("Grid:", "Queued job L000001")
    assert capsys.readouterr().err == "Grid: Queued job L000001\n"


@pytest.mark.parametrize(
    ("words", "minutes"),
    [(["grid", "demo.tiny"], terminal.INTERVAL), (["grid", "x", "-i", "5"], None),
     (["grid", "x", "-i5"], None), (["grid", "x", "--interval=1"], None)],
)  # fmt: skip
def test_what_is_typed_wins(words: list[str], minutes: float | None) -> None:
    assert terminal.interval_of(words) == minutes
