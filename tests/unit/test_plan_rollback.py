"""What an open rollback means for whoever comes across it: every stage, everything that may lie there."""

from itertools import product

import pytest

from litestreamd.plan.rollback import Gate, Inode, InPlace, RollbackPlan, Stage, gate, in_place

PRESENT, RESTORED = (8, 100), (8, 200)


def plan_at(stage: Stage) -> RollbackPlan:
    inode = None if stage is Stage.PLANNED else RESTORED
    return RollbackPlan("2026-04-18T091500.000Z", "/srv/app/app.db", 7, 0, "s3", None, (), stage, inode)


def test_names() -> None:
    plan = plan_at(Stage.PLANNED)
    assert plan.kept == "/srv/app/app.db.before-2026-04-18T091500.000Z"
    assert plan.beside == "/srv/app/.app.db.rollback-2026-04-18T091500.000Z"


@pytest.mark.parametrize(
    ("stage", "found", "place"),
    [
        (Stage.PLANNED, PRESENT, InPlace.PRESENT),
        (Stage.RESTORED, PRESENT, InPlace.PRESENT),
        (Stage.STOPPED, PRESENT, InPlace.PRESENT),
        (Stage.STOPPED, RESTORED, InPlace.RESTORED),
        (Stage.GIVEN_UP, RESTORED, InPlace.RESTORED),
        (Stage.GIVEN_UP, PRESENT, InPlace.PRESENT),
        # Its application may have replaced the file since (VACUUM INTO and rename, another restore).
        (Stage.RELEASED, (8, 300), InPlace.RESTORED),
    ],
)
def test_which_one_is_in_place(stage: Stage, found: Inode, place: InPlace) -> None:
    assert in_place(plan_at(stage), found) is place


@pytest.mark.parametrize(("stage", "at_work", "found"), list(product(Stage, (False, True), (PRESENT, RESTORED, None))))
def test_the_gate(stage: Stage, at_work: bool, found: Inode | None) -> None:
    answer = gate(plan_at(stage), at_work, found)
    if found is None:
        assert answer is Gate.KEEP_AWAY, "nothing is restored past an open plan"
    elif stage is Stage.STOPPED or (stage is Stage.GIVEN_UP and found == RESTORED):
        assert answer is (Gate.KEEP_AWAY if at_work else Gate.FINISH)
    else:
        assert answer is Gate.GO_ON
