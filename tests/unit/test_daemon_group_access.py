"""One more group at a socket or file, given by those who may not give it away."""

import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from litestreamd.daemon.group_access import let_group_in

OWNER, OTHER, GROUP = 54321, 54322, 54323

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root only: it takes two other users")


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder of OWNER that others may pass through."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o711)
        os.chown(name, OWNER, OWNER)
        yield Path(name)


def as_user(uid: int, groups: list[int], deed: Callable[[], object]) -> str:
    """What somebody gets out of it, or the name of the error. In a fork: our Python may lie where others cannot go."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups(groups)
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            os.write(writing, repr(deed()).encode())
        except BaseException as error:  # noqa: BLE001 - it is the answer
            os.write(writing, type(error).__name__.encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as answer:
        return answer.read()


def connected(path: Path) -> bool:
    """Whether we get to the socket; that nobody listens there any more does not matter."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except ConnectionRefusedError:
            return True
    return True


def bound_and_let_in(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        return let_group_in(path, GROUP, 0o660)


def written_and_let_in(path: Path) -> bool:
    path.write_text("{}")
    return let_group_in(path, GROUP, 0o640)


def test_root_gives_it_away(place: Path) -> None:
    path = place / "health.json"
    path.write_text("{}")
    assert let_group_in(path, GROUP, 0o640)
    status = path.stat()
    assert (status.st_gid, status.st_mode & 0o777) == (GROUP, 0o640)
    assert "system.posix_acl_access" not in os.listxattr(path)


def test_an_owner_outside_of_the_group_adds_an_entry(place: Path) -> None:
    path = place / "health.json"
    assert as_user(OWNER, [], lambda: written_and_let_in(path)) == "True"
    status = path.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (OWNER, OWNER, 0o640)
    assert as_user(OTHER, [GROUP], path.read_text) == "'{}'"
    assert as_user(OTHER, [GROUP], lambda: path.write_text("")) == "PermissionError"
    assert as_user(OTHER, [], path.read_text) == "PermissionError"
    # The owner's group is not the one that was let in.
    assert as_user(OTHER, [OWNER], path.read_text) == "PermissionError"


def test_a_socket_too(place: Path) -> None:
    path = place / "control.sock"
    assert as_user(OWNER, [], lambda: bound_and_let_in(path)) == "True"
    assert as_user(OTHER, [GROUP], lambda: connected(path)) == "True"
    assert as_user(OTHER, [], lambda: connected(path)) == "PermissionError"
    assert as_user(OTHER, [OWNER], lambda: connected(path)) == "PermissionError"


def test_where_nothing_helps_it_stays_closed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError

    path = place / "closed.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
    monkeypatch.setattr(os, "chown", refused)
    monkeypatch.setattr(os, "setxattr", refused)
    assert not let_group_in(path, GROUP, 0o660)
    assert path.stat().st_mode & 0o777 == 0o660
