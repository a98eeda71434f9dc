"""The doctor on one replica: whose key, and whether an object can be put, read, listed and deleted there.

In: a replica as configured, who runs the service. Out: findings. Promised: the one object that is made is a note beside
the LTX objects, which no listing of them shows, and is gone afterwards.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from litestreamd.basics.errors import ExitCode, LitestreamdError, RightsError
from litestreamd.basics.quantities import format_duration
from litestreamd.cli.disks import existing_part, same_disk
from litestreamd.cli.doctor_finding import Finding, error, looked_at, ok, warning
from litestreamd.cli.doctor_user import SEARCH, WRITE, User
from litestreamd.replica.build import build_replica
from litestreamd.replica.folder.settings import FolderSettings
from litestreamd.replica.port import Created, Fence, Replica, ReplicaSpec

_CONTENT = b"litestreamd doctor\n"


def examine_replica(spec: ReplicaSpec, database: Path, user: User) -> Iterator[Finding]:
    """Everything about one replica."""
    subject = f"replica {spec.name}"
    if isinstance(spec.store, FolderSettings):
        yield from looked_at(subject, lambda: _folder(subject, spec.store.path, database, user))  # type: ignore[attr-defined]
        if not spec.store.path.is_dir():
            return
    probed = _as_user(user, lambda: _probe(build_replica(spec))) if isinstance(spec.store, FolderSettings) else None
    outcome = probed if probed is not None else _probe(build_replica(spec))
    yield outcome.finding(subject, spec.rules.enabled)


def _folder(subject: str, root: Path, database: Path, user: User) -> Iterator[Finding]:
    """A place on this machine."""
    there = existing_part(root)
    if same_disk(root, database):
        yield warning(
            subject, f"{root} is on the disk of the database: a replica there does not survive the disk",
            "mount another disk there, or add a replica elsewhere",
        )  # fmt: skip
    if not root.is_dir():
        if there != root.parent:
            yield error(subject, f"the folder {root.parent} does not exist", f"mount it, or mkdir -p {root.parent}")
        elif user.may(there, WRITE | SEARCH):
            yield ok(subject, f"{root} is made with the first sync")
        else:
            yield error(
                subject, f"{user.name} may not make {root}", f"install -d -o {user.name} {root}", ExitCode.RIGHTS
            )


@dataclass(frozen=True, slots=True)
class Probe:
    """What became of it. done: steps that went well, with their milliseconds. fault: why the next did not."""

    place: str
    fence: str
    done: tuple[tuple[str, int], ...]
    failed: str = ""
    fault: str = ""
    code: int = ExitCode.OK

    def finding(self, subject: str, deletes: bool) -> Finding:
        """As a line. `deletes`: whether retention wants the right to delete."""
        steps = ", ".join(f"{name} {format_duration(ms / 1000)}" for name, ms in self.done)
        if self.failed == "deleted" and not deletes:
            return warning(
                subject, f"{self.place}: {steps}; nothing may be deleted there, and retention is off",
                "old objects have to be removed by the store itself",
            )  # fmt: skip
        if self.fault:
            so_far = f" (after {steps})" if steps else ""
            fix = "the key needs the right to delete, or retention cannot work" if self.failed == "deleted" else None
            return error(subject, f"{self.fault}{so_far}", fix, ExitCode(self.code))
        if self.fence == Fence.WEAK.value:
            return warning(
                subject, f"{self.place}: {steps}; it does not refuse a second create of one name",
                "make sure that one machine only writes there",
            )  # fmt: skip
        return ok(subject, f"{self.place}: {steps}; it refuses a second create of one name")


def _probe(replica: Replica) -> Probe:
    name = f"probes/{os.urandom(8).hex()}.json"
    done: list[tuple[str, int]] = []
    steps: tuple[tuple[str, Callable[[], object]], ...] = (
        (
            "put",
            lambda: _expect(replica.create_note(name, _CONTENT) is Created.CREATED, "it says that it has it already"),
        ),
        ("read", lambda: _expect(replica.read_note(name) == _CONTENT, "other bytes came back than were put there")),
        ("listed", lambda: _expect(name in replica.list_notes("probes/"), "the listing does not show it")),
        ("deleted", lambda: replica.delete_note(name)),
        ("gone", lambda: _expect(not replica.has_note(name), "it is still there")),
    )
    for step, deed in steps:
        began = time.monotonic()
        try:
            deed()
        except LitestreamdError as fault:
            return Probe(replica.description, replica.fence.value, tuple(done), step, str(fault), fault.exit_code)
        done.append((step, round((time.monotonic() - began) * 1000)))
    return Probe(replica.description, replica.fence.value, tuple(done))


def _expect(true: bool, otherwise: str) -> None:
    if not true:
        raise RightsError(f"the object that was put there to try the place: {otherwise}")


def _as_user(user: User, probe: Callable[[], Probe]) -> Probe | None:
    """In a process of that user: what it makes belongs to it, and what it may not do is seen. None: we are it."""
    if os.geteuid() != 0 or user.uid == 0:
        return None
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reader)
            os.setgroups(list(user.gids))
            os.setgid(next(iter(user.gids)))
            os.setuid(user.uid)
            found = probe()
            text = json.dumps([found.place, found.fence, found.done, found.failed, found.fault, found.code])
            os.write(writer, text.encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader) as told:
        text = told.read()
    os.waitpid(child, 0)
    place, fence, done, failed, fault, code = json.loads(text)
    return Probe(place, fence, tuple((step, ms) for step, ms in done), failed, fault, code)
