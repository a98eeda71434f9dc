"""What an operator is told when a rollback is left half done."""

from pathlib import Path

import pytest

from litestreamd.basics.errors import EnvironmentFault
from litestreamd.cli.rollback import naming_ways_out
from litestreamd.database.rollback_note import RollbackNote
from litestreamd.plan.rollback import RollbackPlan


def test_the_ways_out_are_named_while_there_is_a_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    note = RollbackNote(tmp_path, Path("/data/app.db"))
    for planned in (False, True):
        if planned:
            note.save(RollbackPlan("STAMP", "/data/app.db", 7, 0, "s3", "/etc/litestreamd/app.yml", ()))
        with pytest.raises(EnvironmentFault, match="disk full"), naming_ways_out(note):
            raise EnvironmentFault("disk full")
        err = capsys.readouterr().err
        assert ("the rollback planned at STAMP is not finished" in err) == planned
        assert ("litestreamd-restore -resume app finishes it, -abort gives it up" in err) == planned
