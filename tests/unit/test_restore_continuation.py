"""Who may continue a replica: each proof, each way to fail it, and what the refusal says."""

import re
from dataclasses import replace

import pytest

from litestreamd.plan.continuation import (
    SILENCE_MS,
    Continue,
    Evidence,
    Head,
    LastEpoch,
    Reason,
    Refuse,
    RestoredFrom,
    may_continue,
)

ROOT = "file:///backup/app"
HEAD = Head(41, 0x8000000000000001)
OTHER = Head(41, 0x8000000000000002)
OURS = LastEpoch(5, ours=True, closed=False, who="writer epoch 5 (app on here)")
CLOSED = LastEpoch(5, ours=False, closed=True, who="writer epoch 5 (app on there)")
OPEN = LastEpoch(5, ours=False, closed=False, who="writer epoch 5 (app on there)")
FRESH = Evidence(root=ROOT, head=None, state=None, last_epoch=None, silent_ms=0)
FOREIGN = replace(FRESH, head=HEAD, last_epoch=OPEN)
RESTORED = RestoredFrom(root=ROOT, txid=41, head=HEAD, epoch=5)

ALLOWED = [
    (FRESH, Reason.FRESH),
    (replace(FRESH, last_epoch=OURS), Reason.FRESH),
    (replace(FRESH, last_epoch=CLOSED), Reason.FRESH),
    (replace(FRESH, last_epoch=OPEN, silent_ms=SILENCE_MS), Reason.FRESH),
    (replace(FRESH, head=HEAD, state=HEAD, last_epoch=OURS), Reason.OWN_STATE),
    (replace(FRESH, head=HEAD, state=HEAD, last_epoch=CLOSED), Reason.OWN_STATE),
    (replace(FRESH, head=HEAD, state=HEAD), Reason.OWN_STATE),
    (replace(FOREIGN, restored=RESTORED), Reason.RESTORED),
    (replace(FOREIGN, restored=RESTORED, state=OTHER), Reason.RESTORED),
    (replace(FOREIGN, last_epoch=None, restored=replace(RESTORED, epoch=0)), Reason.RESTORED),
    (replace(FOREIGN, last_epoch=None, litestream_head_in_wal=True), Reason.LITESTREAM_WAL),
    (replace(FOREIGN, litestream_head_in_wal=True), Reason.LITESTREAM_WAL),
    (replace(FOREIGN, last_epoch=CLOSED, same_pages=True), Reason.SAME_PAGES),
    (replace(FOREIGN, same_pages=True, silent_ms=SILENCE_MS), Reason.SAME_PAGES),
    (replace(FOREIGN, last_epoch=None, same_pages=True, silent_ms=SILENCE_MS), Reason.SAME_PAGES),
]


@pytest.mark.parametrize(("evidence", "reason"), ALLOWED)
def test_allowed(evidence: Evidence, reason: Reason) -> None:
    assert may_continue(evidence) == Continue(reason)


REFUSED = [
    (FOREIGN, "has not stopped cleanly.*0ms ago"),
    (replace(FOREIGN, silent_ms=90_000), r"app on there\) has not stopped cleanly.*1m30s ago"),
    (replace(FRESH, last_epoch=OPEN), "has not stopped cleanly"),
    (replace(FRESH, state=HEAD), "empty, but we left TXID 0000000000000029 there: is the right disk mounted"),
    (replace(FRESH, state=HEAD, last_epoch=OURS), "is the right disk mounted"),
    (replace(FRESH, head=HEAD, state=HEAD, last_epoch=OPEN), "has not stopped cleanly"),
    (replace(FRESH, head=OTHER, state=HEAD, last_epoch=OURS), "somebody else wrote it"),
    (replace(FRESH, head=Head(42, 1), state=HEAD, last_epoch=OURS), "000000000000002a, we left it at 0000000000000029"),
    (replace(FOREIGN, restored=replace(RESTORED, epoch=4)), "has not stopped cleanly"),
    (replace(FOREIGN, head=OTHER, restored=RESTORED), "has not stopped cleanly"),
    (replace(FOREIGN, restored=replace(RESTORED, root="file:///other")), "has not stopped cleanly"),
    (
        replace(FOREIGN, last_epoch=CLOSED, restored=replace(RESTORED, txid=40)),
        "restored from TXID 0000000000000028, but",
    ),
    (replace(FOREIGN, head=None, restored=RESTORED), "has not stopped cleanly"),
    (replace(FOREIGN, last_epoch=CLOSED), "another database"),
    (replace(FOREIGN, last_epoch=None), "another database"),
    (replace(FOREIGN, same_pages=True, silent_ms=SILENCE_MS - 1), "has not stopped cleanly"),
    (replace(FOREIGN, last_epoch=None, same_pages=True, silent_ms=SILENCE_MS - 1), "another database"),
    (replace(FOREIGN, last_epoch=OURS, same_pages=True), "another database"),
]


@pytest.mark.parametrize(("evidence", "sentence"), REFUSED)
def test_refused(evidence: Evidence, sentence: str) -> None:
    refusal = may_continue(evidence)
    assert isinstance(refusal, Refuse)
    assert refusal.sentence.startswith(ROOT)

    assert re.search(sentence, refusal.sentence), refusal.sentence


@pytest.mark.parametrize("evidence", [each for each, _ in REFUSED])
def test_every_refusal_names_the_ways_out(evidence: Evidence) -> None:
    refusal = may_continue(evidence)
    assert isinstance(refusal, Refuse)
    assert "--take-over" in refusal.sentence
    assert "a new path" in refusal.sentence
    assert "nothing was changed" in refusal.sentence


def test_the_first_proof_that_holds_is_the_one_named() -> None:
    everything = replace(
        FRESH,
        head=HEAD,
        state=HEAD,
        last_epoch=CLOSED,
        restored=RESTORED,
        litestream_head_in_wal=True,
        same_pages=True,
        silent_ms=SILENCE_MS,
    )
    order = [may_continue(everything)]
    for change in ({"state": None}, {"restored": None}, {"litestream_head_in_wal": False}, {"same_pages": False}):
        everything = replace(everything, **change)
        order.append(may_continue(everything))
    assert order[:4] == [
        Continue(reason) for reason in (Reason.OWN_STATE, Reason.RESTORED, Reason.LITESTREAM_WAL, Reason.SAME_PAGES)
    ]
    assert isinstance(order[4], Refuse)
