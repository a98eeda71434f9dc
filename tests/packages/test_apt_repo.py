"""The signed repository: made with a key of its own, served on this machine, used with the lines that a user pastes."""

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.packages.debs import APT, Debs
from tests.packages.protected import has_everything, set_up
from tests.support.machine import Machine, MachineTrouble
from tests.support.programs import TREE

SCRIPT = TREE / "packaging" / "apt_repo.sh"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="session")
def served(debs: Debs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Its address and its folder."""
    if shutil.which("reprepro") is None:
        pytest.skip("reprepro is missing: apt-get install reprepro")
    folder = tmp_path_factory.mktemp("apt")
    home = tmp_path_factory.mktemp("g")  # short: it holds sockets
    home.chmod(0o700)
    handler = partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        env = {"PATH": os.environ["PATH"], "GNUPGHOME": str(home), "GPG_KEY": "packages@litestreamd.example"}
        try:
            subprocess.run(
                ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", env["GPG_KEY"], "ed25519"],
                env=env, check=True, capture_output=True, timeout=60,
            )  # fmt: skip
            done = subprocess.run(
                [SCRIPT, debs.folder, folder], env=env | {"APT_URL": url}, capture_output=True, text=True, timeout=120,
                check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr
            yield url, folder
        finally:
            subprocess.run(["gpgconf", "--kill", "all"], env=env, check=False, timeout=30)
            server.shutdown()


def test_the_lines_that_a_user_pastes(served: tuple[str, Path], minimal: Machine) -> None:
    _, folder = served
    minimal.run(f"{APT} install curl ca-certificates sqlite3", timeout=300)
    lines = (
        (folder / "INSTALL.txt")
        .read_text()
        .replace("apt install ", f"{APT} install ")
        .replace("apt update", "apt-get update")
    )
    minimal.run(f"set -e\n{lines}", timeout=300)
    assert "127.0.0.1" in minimal.out("apt-cache policy litestreamd")
    set_up(minimal)
    has_everything(minimal)


def test_a_package_that_nobody_signed_is_refused(served: tuple[str, Path], minimal: Machine) -> None:
    url, _ = served
    minimal.write("/etc/apt/sources.list", f"deb {url} bookworm main\n")
    with pytest.raises(MachineTrouble, match=r"not signed|NO_PUBKEY"):
        minimal.run("apt-get update -q && apt-get install -q -y litestreamd")


def test_without_a_key_there_is_no_repository(debs: Debs, tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "GNUPGHOME": str(tmp_path)}
    tmp_path.chmod(0o700)
    for key, code, sentence in (("", 64, "say which key signs"), ("nobody@litestreamd.example", 78, "no secret key")):
        done = subprocess.run(
            [SCRIPT, debs.folder, tmp_path / "apt"], env=env | {"GPG_KEY": key}, capture_output=True, text=True,
            check=False, timeout=60,
        )  # fmt: skip
        assert (done.returncode, sentence in done.stderr) == (code, True), done.stderr
