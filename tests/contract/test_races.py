"""Create-only with several processes and threads at once, and a creator that is killed."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from litestreamd.ltx.names import ObjectName
from litestreamd.replica.port import Created, Fence
from tests.contract.child import HUNG, RACED
from tests.contract.places import Place
from tests.support.programs import TREE, environment


def child(place: Place, action: str, argument: str) -> "subprocess.Popen[str]":
    """Another process at the place, waiting for a line on stdin."""
    command = [sys.executable, "-m", "tests.contract.child", place.kind, place.where, action, argument]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=TREE, env=environment()
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


def outputs(place: Place, action: str, arguments: tuple[str, ...]) -> list[list[str]]:
    """Let several processes act at the same time; out: the lines of each."""
    processes = [child(place, action, argument) for argument in arguments]
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    found = []
    for process in processes:
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        found.append(out.split())
    return found


def demand_exclusion(place: Place) -> None:
    """Skip where the store lets several win: those are known as weak, see `test_the_fence_is_known`."""
    if not place.excludes:
        assert place.fence is Fence.WEAK
        pytest.skip(f"{place.kind} lets several racers win")


def test_of_racing_processes_exactly_one_creates_each_object(place: Place) -> None:
    demand_exclusion(place)
    tags = ("a", "b", "c")
    results = outputs(place, "race", tags)
    for number, name in enumerate(RACED):
        words = [lines[number] for lines in results]
        assert words.count("created") == 1, (name, words)
        assert set(words) == {"created", "exists"}
        body = b"".join(place.replica().open(name))
        assert body == tags[words.index("created")].encode() * 1000
    assert [stored.name for stored in place.replica().list()] == RACED


def test_of_racing_threads_exactly_one_creates(place: Place) -> None:
    demand_exclusion(place)
    threads, name, replica = 8, ObjectName(0, 1, 1), place.replica()
    barrier = Barrier(threads)

    def create(number: int) -> Created | str:
        barrier.wait(10)
        return replica.create(name, [bytes([number]) * 50_000], 1)

    with ThreadPoolExecutor(threads) as pool:
        results = list(pool.map(create, range(threads)))
    assert results.count(Created.CREATED) == 1
    assert b"".join(replica.open(name)) == bytes([results.index(Created.CREATED)]) * 50_000


def test_racing_writers_never_share_an_epoch(place: Place) -> None:
    demand_exclusion(place)
    results = outputs(place, "epochs", ("a", "b", "c"))
    numbers = [int(word) for lines in results for word in lines]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))


def test_a_creator_killed_half_way_leaves_nothing_listed(place: Place) -> None:
    process = child(place, "hang", "x")
    assert process.stdin
    assert process.stdout
    process.stdin.write("go\n")
    process.stdin.flush()
    assert process.stdout.readline() == "half\n"
    assert list(place.replica().list()) == []
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
    assert list(place.replica().list()) == []
    assert place.replica().create(HUNG, [b"whole"], 1) is Created.CREATED
    assert b"".join(place.replica().open(HUNG)) == b"whole"
