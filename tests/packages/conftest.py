"""Packages as `make deb` builds them, and minimal machines to install them in.

Built once a session: the present version and one that follows it. A machine on which the present one is installed is
booted once for each release; every machine of a test is an overlay on that, or on the minimal image.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.packages.debs import APT, SOURCES, Debs, build, give
from tests.support import machine_images
from tests.support.machine import Machine
from tests.support.machine_images import MINIMAL, RELEASES, unavailable


@pytest.fixture(scope="session")
def debs(tmp_path_factory: pytest.TempPathFactory) -> Debs:
    """Built here, on Debian 12, for all releases."""
    if "bookworm" not in Path("/etc/os-release").read_text():
        pytest.skip("packages are built on Debian 12")
    if not SOURCES.exists():
        pytest.skip("build/sources is missing: `make sources` fetches it")
    folder = tmp_path_factory.mktemp("debs")
    build(folder)
    build(folder / "following", following=True)

    def one(pattern: str) -> Path:
        (found,) = (path for path in folder.glob(pattern) if "dbgsym" not in path.name)
        return found

    return Debs(folder, one("litestreamd_*.deb"), one("following/litestreamd_*.deb"), one("python3-cysystemd_*.deb"))


@pytest.fixture(scope="session", params=RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    """Debian 12 and Debian 13."""
    for image in (request.param, request.param + MINIMAL):
        if (reason := unavailable(image)) is not None:
            pytest.skip(reason)
    return str(request.param)


@pytest.fixture(scope="session")
def updated() -> Iterator[Callable[[str], tuple[Path, ...]]]:
    """Layers of a minimal machine of a release that has the lists of its packages, and no more."""
    known: dict[str, tuple[Path, ...]] = {}
    with ExitStack() as stack:

        def of(release: str) -> tuple[Path, ...]:
            if release not in known:
                image = machine_images.folder(release + MINIMAL)
                machine = stack.enter_context(Machine(image))
                machine.run("apt-get -q update", timeout=300)
                known[release] = _left_by(machine, (image,))
            return known[release]

        yield of


def _left_by(machine: Machine, layers: tuple[Path, ...]) -> tuple[Path, ...]:
    """Shut down, and what it has written on top of its own layers."""
    machine.shut_down()
    shutil.rmtree(machine.written / "var" / "log" / "journal", ignore_errors=True)
    return (machine.written, *layers)


@pytest.fixture
def minimal(release: str, updated: Callable[[str], tuple[Path, ...]]) -> Iterator[Machine]:
    """A machine with nothing of ours."""
    with Machine(*updated(release)) as machine:
        yield machine


@pytest.fixture(scope="session")
def installed(debs: Debs, updated: Callable[[str], tuple[Path, ...]]) -> Iterator[Callable[[str], tuple[Path, ...]]]:
    """Layers of a machine on which the present version is installed, and sqlite3 to look into databases."""
    known: dict[str, tuple[Path, ...]] = {}
    with ExitStack() as stack:

        def of(release: str) -> tuple[Path, ...]:
            if release not in known:
                machine = stack.enter_context(Machine(*updated(release)))
                give(machine, debs.present, debs.following)
                machine.run(f"{APT} install /root/packages/{debs.present.name} sqlite3", timeout=300)
                known[release] = _left_by(machine, updated(release))
            return known[release]

        yield of


@pytest.fixture
def new_machine(release: str, installed: Callable[[str], tuple[Path, ...]]) -> Iterator[Callable[[], Machine]]:
    """Boots another machine with the package, as often as it is called."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(Machine(*installed(release)))


@pytest.fixture
def machine(new_machine: Callable[[], Machine]) -> Machine:
    """One, with the package."""
    return new_machine()
