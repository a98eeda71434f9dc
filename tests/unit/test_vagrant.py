"""The machines to try it on, and every shell script: looked at by the tools of their trade."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.programs import TREE

VAGRANTFILE = TREE / "Vagrantfile"
PROVISION = TREE / "packaging" / "vagrant" / "provision.sh"
MAINTAINER = ("config", "preinst", "postinst", "prerm", "postrm")


def program(name: str) -> str:
    if (found := shutil.which(name)) is None:
        pytest.skip(f"{name} is missing: apt-get install {name}")
    return found


def validate(home: Path, *words: str, file: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """`vagrant validate`, of the project's file or of a text, with nothing of the caller's settings."""
    folder = TREE
    if file is not None:
        folder = home / "project"
        folder.mkdir()
        (folder / "Vagrantfile").write_text(file)
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "VAGRANT_HOME": str(home / ".vagrant.d"), "LANG": "C.UTF-8"}
    env |= {"VAGRANT_DOTFILE_PATH": str(home / "state"), "VAGRANT_CHECKPOINT_DISABLE": "1", **environment}
    return subprocess.run(
        [program("vagrant"), "validate", *words], cwd=folder, env=env, capture_output=True, text=True, check=False,
        timeout=120,
    )  # fmt: skip


def test_vagrant_takes_the_file(tmp_path: Path) -> None:
    done = validate(tmp_path, "--ignore-provider")
    assert done.returncode == 0, done.stdout + done.stderr


def test_vagrant_takes_it_with_libvirt(tmp_path: Path) -> None:
    plugins = subprocess.run(["dpkg-query", "--show", "vagrant-libvirt"], capture_output=True, check=False).returncode
    if program("vagrant") and plugins:
        pytest.skip("vagrant-libvirt is missing: apt-get install vagrant-libvirt")
    done = validate(tmp_path, VAGRANT_DEFAULT_PROVIDER="libvirt")
    assert done.returncode == 0, done.stdout + done.stderr


def test_vagrant_would_say_what_is_wrong(tmp_path: Path) -> None:
    done = validate(tmp_path, "--ignore-provider", file=VAGRANTFILE.read_text().replace("vm.hostname", "vm.hostnome"))
    assert done.returncode != 0


def test_the_file_names_the_releases_and_one_script() -> None:
    text = VAGRANTFILE.read_text()
    assert re.findall(r'=> "([^"]+)"', text) == ["debian/bookworm64", "debian/trixie64", "almalinux/10"]
    (script,) = re.findall(r'path: "([^"]+)"', text)
    assert TREE / script == PROVISION and os.access(PROVISION, os.X_OK)


def scripts() -> list[Path]:
    """All of the project's: by their names, and the maintainer scripts, which have none."""
    found = [
        *(TREE / "packaging").rglob("*.sh"),
        *(TREE / "tests" / "support").glob("*.sh"),
        *(TREE / ".ci").glob("*.sh"),
    ]
    for folder in (TREE / "packaging").glob("**/debian"):
        found += [path for path in folder.iterdir() if path.name.rpartition(".")[2] in MAINTAINER]
    return sorted(found)


@pytest.mark.parametrize("script", scripts(), ids=lambda path: str(path.relative_to(TREE)))
def test_shellcheck_has_nothing_to_say(script: Path) -> None:
    """Files of the system that a script reads (debconf) are not followed: they may not be installed here."""
    done = subprocess.run(
        [program("shellcheck"), "--exclude=SC1091", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout


def provision(**environment: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **environment}
    return subprocess.run([PROVISION], env=env, capture_output=True, text=True, check=False, timeout=60)


def test_a_mistake_changes_nothing_and_gets_one_sentence(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("the script wants to be root before it looks at anything")
    done = provision(REPLICA="backup")
    assert (done.returncode, done.stderr) == (1, "provision.sh: REPLICA is s3 or an absolute folder, not backup\n")
    if shutil.which("apt-get") is None:
        pytest.skip("without apt-get another package is looked for")
    done = provision(PACKAGES=str(tmp_path))
    assert (done.returncode, done.stderr) == (
        1, f"provision.sh: there is no litestreamd_*.deb in {tmp_path}: make deb\n",
    )  # fmt: skip


def test_the_emulator_is_the_one_that_the_tests_run_against() -> None:
    (wanted,) = re.findall(r"^MINISTACK := (\S+)$", (TREE / "Makefile").read_text(), re.MULTILINE)
    assert f"emulator={wanted}\n" in PROVISION.read_text()
