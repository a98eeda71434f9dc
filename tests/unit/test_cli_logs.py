"""`logs`: the journal is another program's; here is what is made of its entries, and of none."""

from collections.abc import Iterator, Sequence

import pytest

from litestreamd.basics.errors import ExitCode
from litestreamd.cli import logs
from litestreamd.cli.main import main
from litestreamd.daemon.journal_reader import Entry


def journal(monkeypatch: pytest.MonkeyPatch, *entries: Entry) -> None:
    def read(_: Sequence[tuple[str, str]], since_us: int = 0) -> Iterator[Entry]:
        return (entry for entry in entries if entry.time_us >= since_us)

    monkeypatch.setattr(logs, "read_journal", read)


def test_an_entry_is_a_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    fields = {"PRIORITY": "4", "LITESTREAMD_INSTANCE": "app", "MESSAGE": "it lags"}
    journal(monkeypatch, Entry(1_776_503_700_000_000, fields))
    assert main(["logs", "app"]) == ExitCode.OK
    told = capsys.readouterr()
    assert (told.out, told.err) == ("2026-04-18T09:15:00.000Z WARNING app: it lags\n", "")


@pytest.mark.parametrize(("words", "whose"), [
    (("mistyped",), "of mistyped that"),
    ((), "of litestreamd that"),
    (("-since", "1h ago", "app"), "of app since then"),
])  # fmt: skip
def test_silence_is_explained(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], whose: str
) -> None:
    journal(monkeypatch)
    assert main(["logs", *words]) == ExitCode.OK
    told = capsys.readouterr()
    assert told.out == ""
    assert whose in told.err and "systemd-journal" in told.err
