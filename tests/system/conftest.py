"""Booted machines with litestreamd installed, one kind for each release.

A template of each is booted once: it gets the program as `make install` lays it out, the group, the journal's catalog
and compiled modules. Every machine of a test is an overlay on that.
"""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support import machine_images
from tests.support.machine import Machine
from tests.support.machine_images import RELEASES, unavailable

TREE = Path(__file__).parents[2]
MODULES = "usr/lib/litestreamd"
PREPARE = f"""
systemd-sysusers
journalctl --update-catalog
python3 -m compileall -q /{MODULES}
systemctl daemon-reload
"""


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of `make install`, and beside the modules the one that no distribution has."""
    import inotify_simple  # noqa: PLC0415

    tree = tmp_path_factory.mktemp("installed")
    subprocess.run([TREE / "packaging" / "install.sh", tree], check=True, timeout=120)
    shutil.copy(str(inotify_simple.__file__), tree / MODULES)
    tree.chmod(0o755)
    return tree


@pytest.fixture(scope="session")
def layers(installed: Path) -> Iterator[Callable[[str], tuple[Path, ...]]]:
    """What machines of a release are made of."""
    known: dict[str, tuple[Path, ...]] = {}
    with ExitStack() as stack:

        def of(release: str) -> tuple[Path, ...]:
            if release not in known:
                template = stack.enter_context(Machine(installed, machine_images.folder(release)))
                template.run(PREPARE)
                template.shut_down()
                shutil.rmtree(template.written / "var" / "log" / "journal", ignore_errors=True)
                known[release] = (template.written, installed, machine_images.folder(release))
            return known[release]

        yield of


@pytest.fixture(params=RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    """Debian 12 and Debian 13."""
    if (reason := unavailable(request.param)) is not None:
        pytest.skip(reason)
    return str(request.param)


@pytest.fixture
def new_machine(release: str, layers: Callable[[str], tuple[Path, ...]]) -> Iterator[Callable[[], Machine]]:
    """Boots another machine, as often as it is called."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(Machine(*layers(release)))


@pytest.fixture
def machine(new_machine: Callable[[], Machine]) -> Machine:
    """One."""
    return new_machine()
