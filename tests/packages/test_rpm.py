"""The rpm: the same bytes each time, and with the real dnf on a booted machine through its whole life.

Built here, on Debian 12, and installed on Debian 12 with Debian's dnf; one package stands for what dpkg has installed
(tests/packages/rpm_machine.py). Sizes and times are printed (pytest -s).
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.packages import rpm_machine
from tests.packages.protected import ENABLE, has_everything, images, runs, set_up
from tests.support.machine import Machine
from tests.support.machine_images import unavailable
from tests.support.waiting import until
from tests.system import app, test_story

TREE = Path(__file__).parents[2]
SOURCES = TREE / "build" / "sources"
BUILT_AT = "1795000000"
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "build", "dist", "__pycache__", "*.egg-info", ".*_cache", ".hypothesis"
)
PLAIN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}
DNF = "dnf --quiet --assumeyes --setopt=install_weak_deps=False"
REPOSITORY = "/srv/yum"


@dataclass(frozen=True, slots=True)
class Rpms:
    """Files. `folder` has all that one `make rpm` makes; `following` is the same version with a higher release."""

    folder: Path
    present: Path
    following: Path
    cysystemd: Path
    stub: Path


def packages(folder: Path) -> dict[str, Path]:
    return {path.name: path for path in folder.glob("*.rpm")}


def asked(package: Path, *what: str) -> str:
    """What rpm tells of a package."""
    command = ["rpm", "--query", "--package", *what, package]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def build(tree: Path, output: Path, *arguments: str, mask: int = 0o022) -> str:
    """`make rpm` in a copy of the tree; out: what it printed."""
    done = subprocess.run(
        [tree / "packaging" / "rpm" / "build.sh", "--sources", SOURCES, "--output", output, *arguments],
        env={**PLAIN, "SOURCE_DATE_EPOCH": BUILT_AT, "PYTHON": sys.executable}, umask=mask,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, so that nobody writes into what is built."""
    copy = tmp_path_factory.mktemp("tree") / "litestreamd"
    shutil.copytree(TREE, copy, ignore=LEFT_OUT, symlinks=True)
    return copy


@pytest.fixture(scope="session")
def rpms(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Rpms:
    """Built, looked at by rpmlint, and its tests run during the build of the second one."""
    if "bookworm" not in Path("/etc/os-release").read_text():
        pytest.skip("the rpm is built here on Debian 12")
    if not SOURCES.exists():
        pytest.skip("build/sources is missing: `make sources` fetches it")
    if os.geteuid() != 0 and not shutil.which("rpmbuild"):
        pytest.skip("rpmbuild is missing, and only root installs it")
    folder = tmp_path_factory.mktemp("rpms")
    build(tree, folder / "present", "--without-check")
    build(tree, folder / "following", "--release", "2", "--only", "litestreamd")

    def one(pattern: str) -> Path:
        (found,) = (path for path in folder.glob(pattern) if not path.name.endswith(".src.rpm"))
        return found

    present, cysystemd = one("present/litestreamd-*.rpm"), one("present/python3-cysystemd-*.rpm")
    stub = rpm_machine.distribution(folder, (present, cysystemd))
    return Rpms(folder / "present", present, one("following/litestreamd-*.rpm"), cysystemd, stub)


# On the table


def test_two_builds_have_the_same_bytes(rpms: Rpms, tree: Path, tmp_path: Path) -> None:
    """In another folder, by another way of listing the files, under another mask, with other times."""
    elsewhere = tmp_path / "else" / "where"
    shutil.copytree(tree, elsewhere, symlinks=True, copy_function=shutil.copy)
    for words in (("init", "--quiet"), ("add", "--all")):
        subprocess.run(["git", *words], cwd=elsewhere, check=True, env=PLAIN, timeout=60)
    build(elsewhere, tmp_path / "again", "--without-check", mask=0o077)
    once, again = packages(rpms.folder), packages(tmp_path / "again")
    assert set(once) == set(again) and len(once) == 4
    differing = [name for name in once if once[name].read_bytes() != again[name].read_bytes()]
    assert not differing


def test_the_version_comes_from_its_one_place_and_the_pins_agree(rpms: Rpms, tree: Path) -> None:
    version = re.search(r'"(.*)"', (tree / "litestreamd" / "__init__.py").read_text().split("__version__")[1])
    assert version is not None
    assert rpms.present.name.startswith(f"litestreamd-{version[1]}-1.")
    told = subprocess.run(
        ["rpm", "-qp", "--provides", "--changelog", rpms.present],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    assert f"> - {version[1]}-1\n" in told
    assert "litestreamd replicate" in told
    pins = (TREE / "packaging" / "sources.txt").read_text() + (TREE / "packaging" / "rpm" / "sources.txt").read_text()
    for name, pinned in re.findall(r"^bundled\(python3-(\S+)\) = (\S+)$", told, re.MULTILINE):
        assert f"{name.replace('-', '_')}=={pinned} " in pins


def test_it_asks_for_what_fedora_has_and_nothing_else(rpms: Rpms) -> None:
    for package in (rpms.present, rpms.cysystemd):
        names = {each.split(" ")[0] for each in rpm_machine.needs(package) if not each.startswith(rpm_machine.SYMBOLS)}
        known = {each.split(" ")[0] for each in rpm_machine.OTHERS} | set(rpm_machine.STANDS_FOR)
        assert names <= known, names - known


def test_there_is_a_manual_page_for_each_program(rpms: Rpms) -> None:
    listed = asked(rpms.present, "--list").splitlines()
    for program in ("litestreamd", "litestreamd-restore"):
        assert f"/usr/bin/{program}" in listed
        assert f"/usr/share/man/man1/{program}.1.gz" in listed


@pytest.mark.parametrize(
    ("key", "code", "sentence"),
    [(None, 64, "GPG_KEY is not set"), ("nobody@nowhere.example", 78, "gpg has no secret key nobody@nowhere.example")],
)
def test_no_key_is_made_by_the_way(tmp_path: Path, key: str | None, code: int, sentence: str) -> None:
    (tmp_path / "gnupg").mkdir(mode=0o700)
    done = subprocess.run(
        [TREE / "packaging" / "yum_repo.sh", "--output", tmp_path / "yum"],
        env={**PLAIN, "GNUPGHOME": str(tmp_path / "gnupg"), **({"GPG_KEY": key} if key else {})},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == code
    assert sentence in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "yum").exists()


@pytest.fixture(scope="session")
def repository(rpms: Rpms, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """`make yum-repo`, with a key of this test; it is served from REPOSITORY."""
    home = tmp_path_factory.mktemp("gnupg")
    home.chmod(0o700)
    output = tmp_path_factory.mktemp("yum") / "repository"
    env = {**PLAIN, "GNUPGHOME": str(home), "GPG_KEY": "test@litestreamd.example", "YUM_URL": f"file://{REPOSITORY}"}
    make = ["gpg", "--batch", "--passphrase", "", "--quick-generate-key", "test@litestreamd.example", "rsa3072", "sign"]
    try:
        subprocess.run(make, env=env, check=True, capture_output=True, timeout=120)
        done = subprocess.run(
            [TREE / "packaging" / "yum_repo.sh", "--packages", rpms.folder, "--output", output],
            env=env, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert f"curl -o /etc/yum.repos.d/litestreamd.repo file://{REPOSITORY}/litestreamd.repo" in done.stdout
        yield output
    finally:
        subprocess.run(["gpgconf", "--kill", "gpg-agent"], env=env, check=False, timeout=60)


# On machines


@pytest.fixture(scope="session")
def rpm_layers(rpms: Rpms) -> Iterator[tuple[Path, ...]]:
    """Of a machine on which the present package is installed, and one that stands for the distribution."""
    if (reason := unavailable(rpm_machine.RELEASE)) is not None:
        pytest.skip(reason)
    with Machine(*rpm_machine.layers()) as machine:
        for package in (rpms.stub, rpms.present, rpms.following, rpms.cysystemd):
            machine.write(f"/root/packages/{package.name}", package.read_bytes())
        machine.run(f"{DNF} install /root/packages/{rpms.stub.name}")
        began = time.monotonic()
        machine.run(f"{DNF} install /root/packages/{rpms.present.name}")
        took = time.monotonic() - began
        size = int(machine.out("rpm -q --queryformat '%{SIZE}' litestreamd"))
        compiled = sum(map(int, machine.out("find /usr/lib/litestreamd -name '*.pyc' -printf '%s\\n'").split()))
        print(
            f"\ndnf install took {took:.1f} s; litestreamd {rpms.present.stat().st_size / 1024:.0f} KiB,"
            f" {size / 1024:.0f} KiB installed, {compiled / 1024:.0f} KiB compiled"
        )
        machine.shut_down()
        shutil.rmtree(machine.written / "var" / "log" / "journal", ignore_errors=True)
        yield (machine.written, *rpm_machine.layers())


@pytest.fixture
def new_rpm_machine(rpm_layers: tuple[Path, ...]) -> Iterator[Callable[[], Machine]]:
    with ExitStack() as stack:
        yield lambda: stack.enter_context(Machine(*rpm_layers))


@pytest.fixture
def rpm_machine_(new_rpm_machine: Callable[[], Machine]) -> Machine:
    return new_rpm_machine()


def test_what_is_installed(rpm_machine_: Machine, rpms: Rpms, tmp_path: Path) -> None:
    machine = rpm_machine_
    assert machine.out("rpm --verify litestreamd") == ""
    assert machine.out("getent group litestreamd") != ""
    assert "litestreamd" in machine.out("journalctl --list-catalog | grep -i litestreamd | head -1")
    assert machine.out("litestreamd version -verbose | grep CRC").endswith("anycrc")
    assert machine.out("systemctl is-enabled litestreamd-metrics.socket", check=False) in ("enabled", "disabled")
    # Compiled when it was installed, and again when another Python comes.
    compiled = machine.out("find /usr/lib/litestreamd -name '*.pyc' | sort")
    assert "litestreamd/cli/__pycache__/main.cpython-311.pyc" in compiled
    machine.run("find /usr/lib/litestreamd -name '*.pyc' -delete")
    other = rpm_machine.stub(tmp_path, "python3", file="/usr/share/another-python")
    machine.write(f"/root/packages/{other.name}", other.read_bytes())
    machine.run(f"{DNF} install /root/packages/{other.name}")
    assert machine.out("find /usr/lib/litestreamd -name '*.pyc' | sort") == compiled
    # What is suggested: it is there for the Python that it was built for.
    machine.run(f"{DNF} install /root/packages/{rpms.cysystemd.name}")
    machine.run("python3 -c 'import cysystemd.reader as r; r.JournalReader().open(r.JournalOpenMode.LOCAL_ONLY)'")
    # The last one out takes everything along.
    machine.run(f"{DNF} remove litestreamd")
    assert machine.out("find / -xdev -path /proc -prune -o -name '*litestreamd*' -not -path '/root/*' -print") == ""


def test_a_database_outlives_its_machine(new_rpm_machine: Callable[[], Machine]) -> None:
    test_story.test_a_database_outlives_its_machine(new_rpm_machine, True)


def test_a_lost_database_is_back_before_the_application_starts(rpm_machine_: Machine) -> None:
    machine = rpm_machine_
    set_up(machine)
    assert machine.run("litestreamd doctor app", check=False).returncode == 0
    machine.run("systemctl stop app && litestreamd sync -wait app && systemctl stop litestreamd@app")
    before = app.count(machine)
    machine.run("rm -r /var/lib/app/*")
    machine.run("systemctl start app")
    until(lambda: app.count(machine) > before, "the application writes")
    assert app.rows(machine)[before] == f"hello, found {before} rows"


def test_an_upgrade_under_load_and_back_with_a_stopped_instance(rpm_machine_: Machine, rpms: Rpms) -> None:
    machine = rpm_machine_
    set_up(machine)
    pid, daemon = (machine.show(unit, "MainPID") for unit in ("app.service", "litestreamd@app.service"))
    before = app.count(machine)
    machine.run(f"{DNF} upgrade /root/packages/{rpms.following.name}", timeout=300)
    assert machine.out("rpm -q --queryformat '%{RELEASE}' litestreamd") == "2"
    assert machine.show("app.service", "MainPID") == pid, "the application was touched"
    assert machine.show("litestreamd@app.service", "ActiveState") == "active"
    assert machine.show("litestreamd@app.service", "MainPID") not in (daemon, "0"), "the old program goes on"
    told = machine.journal("-u", "litestreamd@app", "LITESTREAMD_EVENT=Closed")
    assert "every replica has everything" in told[-1]["MESSAGE"]
    assert app.count(machine) > before, "it was under load"
    runs(machine)
    has_everything(machine)

    machine.run("systemctl stop litestreamd@app")
    pid = machine.show("app.service", "MainPID")
    machine.run(f"{DNF} downgrade /root/packages/{rpms.present.name}", timeout=300)
    assert machine.out("rpm -q --queryformat '%{RELEASE}' litestreamd") == "1"
    assert machine.show("litestreamd@app.service", "ActiveState") == "inactive"
    assert machine.show("app.service", "MainPID") == pid
    assert machine.out("rpm --verify litestreamd") == ""
    machine.run("systemctl start litestreamd@app")
    runs(machine)
    has_everything(machine)
    assert len(images(machine)) == 1, "another program is no reason for a full upload"


def test_removed_and_installed_again_from_the_signed_repository(
    rpm_machine_: Machine, rpms: Rpms, repository: Path
) -> None:
    machine = rpm_machine_
    set_up(machine)
    machine.run("systemctl enable --now litestreamd-metrics.socket litestreamd.target")
    pid = machine.show("app.service", "MainPID")
    told = machine.out(f"{DNF} remove litestreamd 2>&1".replace("--quiet ", ""))
    assert "systemctl enable --now litestreamd@app" in told
    assert machine.show("app.service", "MainPID") == pid
    assert machine.out("find /etc/systemd/system -name 'litestreamd*' -type l") == ""
    assert machine.out("ls -d /usr/lib/litestreamd 2>/dev/null", check=False) == ""
    assert machine.out("ls /etc/litestreamd/app.yml && ls -d /var/lib/litestreamd/app") != ""
    machine.run("systemctl restart app")
    runs(machine)
    machine.reboot()
    machine.wait("app.service", "ActiveState", "active")
    runs(machine)

    # As the manual says it, but for the address.
    for file in sorted(path for path in repository.rglob("*") if path.is_file()):
        machine.write(f"{REPOSITORY}/{file.relative_to(repository)}", file.read_bytes())
    machine.run("mkdir -p /etc/yum.repos.d")  # Fedora has it, Debian not
    machine.run(f"curl -s -o /etc/yum.repos.d/litestreamd.repo file://{REPOSITORY}/litestreamd.repo")
    shown = machine.read("/etc/yum.repos.d/litestreamd.repo")
    assert "\ngpgcheck=1\n" in shown and "\nrepo_gpgcheck=1\n" in shown
    # Neither metadata nor a package that somebody has changed is taken.
    machine.run(f"cp -r {REPOSITORY} /srv/genuine && echo >>{REPOSITORY}/repodata/repomd.xml")
    refused = machine.run(f"{DNF} install litestreamd 2>&1".replace("--quiet ", ""), check=False)
    assert refused.returncode != 0 and "GPG signature verification error" in refused.stdout, refused.stdout
    machine.run(f"cp -r /srv/genuine/. {REPOSITORY}")
    name = rpms.present.name
    machine.run(f"printf x | dd of={REPOSITORY}/{name} bs=1 seek=300000 conv=notrunc status=none")
    refused = machine.run(f"{DNF} install litestreamd", check=False)
    assert refused.returncode != 0, refused.stdout
    machine.run(f"cp -r /srv/genuine/. {REPOSITORY}")
    began = time.monotonic()
    machine.run(f"{DNF} install litestreamd", timeout=300)
    print(f"\ndnf install from the signed repository took {time.monotonic() - began:.1f} s")
    assert machine.out("rpm -q --queryformat '%{RSAHEADER:pgpsig}' litestreamd").startswith("RSA/SHA256")
    machine.run(ENABLE)
    machine.wait("litestreamd@app.service", "ActiveState", "active")
    machine.run("litestreamd sync -wait app", timeout=200)
    has_everything(machine)
    assert len(images(machine)) == 1, "the replica is continued"
