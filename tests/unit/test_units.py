"""The units, with systemd's own eyes: nothing to complain about, and no more rights than they need."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from litestreamd.config.check import check_config
from litestreamd.config.owner_dropin import Folders, Owner, owner_dropin
from litestreamd.daemon.messages import MESSAGE_IDS
from tests.support.programs import TREE

UNITS = TREE / "units"
CATALOG = UNITS / "litestreamd.catalog"
INSTANCES = ("app", "web@7")
SANDBOXED = ("litestreamd", "litestreamd-restore", "litestreamd-verify", "litestreamd-verify-all")
OWNER = Owner("app", "app")

needs_analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing (apt install systemd)"
)


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **environment}, capture_output=True, text=True, check=False
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The units, with programs that are there, and two applications to stand around."""
    for unit in UNITS.glob("litestreamd*"):
        if unit.suffix in (".service", ".target", ".timer", ".socket"):
            text = re.sub(r"/usr/bin/litestreamd(-restore)?\b", "/bin/true", unit.read_text())
            (tmp_path / unit.name).write_text(text)
    for instance in INSTANCES:
        (tmp_path / f"{instance}.service").write_text("[Service]\nExecStart=/bin/true\n")
    return tmp_path


def concrete(folder: Path) -> list[str]:
    """Every unit, templates with each instance."""
    names = []
    for path in sorted(each for each in folder.glob("litestreamd*") if each.is_file()):
        prefix, at, suffix = path.name.partition("@")
        failing = [f"litestreamd@{instance}.service" for instance in INSTANCES]
        instances = failing if prefix == "litestreamd-failure" else INSTANCES
        names += [f"{prefix}@{instance}{suffix}" for instance in instances] if at else [path.name]
    return names


def wanted_by_app(folder: Path, instance: str) -> None:
    """The links that `systemctl enable` makes."""
    for kind, unit in (("wants", "litestreamd"), ("requires", "litestreamd-restore")):
        links = folder / f"{instance}.service.{kind}"
        links.mkdir()
        (links / f"{unit}@{instance}.service").symlink_to(folder / f"{unit}@.service")


def with_owner(folder: Path) -> None:
    folders = Folders((Path("/var/lib/my app"),), (Path("/home/app/100%"),))
    text = owner_dropin("app", Owner("daemon", "daemon"), folders, may_chown=False, firm=True)
    for unit in SANDBOXED:
        for instance in INSTANCES:
            (folder / f"{unit}@{instance}.service.d").mkdir()
            (folder / f"{unit}@{instance}.service.d" / "owner.conf").write_text(text)


@needs_analyze
@pytest.mark.parametrize("owned", [False, True])
def test_systemd_has_nothing_to_complain_about(owned: bool, folder: Path) -> None:
    for instance in INSTANCES:
        wanted_by_app(folder, instance)
    if owned:
        with_owner(folder)
    names = [*concrete(folder), *(f"{instance}.service" for instance in INSTANCES)]
    done = run("systemd-analyze", "verify", "--man=no", *names, SYSTEMD_UNIT_PATH=f"{folder}:")
    ours = [line for line in done.stderr.splitlines() if "litestreamd" in line or str(folder) in line]
    assert (done.returncode, ours) == (0, [])


@needs_analyze
def test_a_fault_would_be_seen(folder: Path) -> None:
    unit = folder / "litestreamd@.service"
    unit.write_text(unit.read_text().replace("WatchdogSec=", "WatchDogSec="))
    done = run("systemd-analyze", "verify", "--man=no", "litestreamd@app.service", SYSTEMD_UNIT_PATH=f"{folder}:")
    assert "WatchDogSec" in done.stderr


@needs_analyze
def test_an_application_that_others_look_names_up_with_makes_no_cycle(folder: Path) -> None:
    """systemd breaks a cycle by dropping a job: the backup's, or the application's."""
    unit = folder / "app.service"
    unit.write_text(f"[Unit]\nBefore=nss-lookup.target\nWants=nss-lookup.target\n{unit.read_text()}")
    wanted_by_app(folder, "app")
    done = run("systemd-analyze", "verify", "--man=no", "app.service", SYSTEMD_UNIT_PATH=f"{folder}:")
    assert "cycle" not in done.stderr


def security(unit: Path, threshold: int) -> tuple[int, str]:
    done = run("systemd-analyze", "security", "--offline=true", f"--threshold={threshold}", str(unit))
    return done.returncode, done.stdout


@needs_analyze
@pytest.mark.parametrize("unit", SANDBOXED)
def test_the_exposure_out_of_the_box(unit: str) -> None:
    code, table = security(UNITS / f"{unit}@.service", 25)
    assert code == 0, table


@needs_analyze
@pytest.mark.parametrize("unit", SANDBOXED)
@pytest.mark.parametrize("database", ["/var/lib/app", "/home/app/data"])
def test_the_exposure_as_the_owner(unit: str, database: str, tmp_path: Path) -> None:
    """--offline reads one file: what a drop-in says comes after the rest of a section, and so it does here."""
    dropin = owner_dropin("app", OWNER, Folders((Path(database),)), may_chown=False, firm=True)
    text = (UNITS / f"{unit}@.service").read_text()
    (tmp_path / f"{unit}@.service").write_text(f"{text}\n{dropin}")
    code, table = security(tmp_path / f"{unit}@.service", 12)
    assert code == 0, table


@needs_analyze
def test_the_exposure_of_the_exporter() -> None:
    code, table = security(UNITS / "litestreamd-metrics.service", 5)
    assert code == 0, table


def test_restore_and_verify_have_the_sandbox_of_the_daemon() -> None:
    blocks = set()
    for unit in SANDBOXED:
        text = (UNITS / f"{unit}@.service").read_text()
        block = text[text.index("CapabilityBoundingSet=") :].partition("\n[")[0]
        blocks.add("\n".join(line for line in block.strip().splitlines() if not line.startswith("#")))
    assert len(blocks) == 1


def test_only_the_daemon_has_the_runtime_directory() -> None:
    """A oneshot with the same one would delete the control socket when it ends."""
    having = [path.name for path in UNITS.glob("*.service") if "RuntimeDirectory=litestreamd/%i" in path.read_text()]
    assert having == ["litestreamd@.service"]


# --- the catalog


def catalog_entries() -> dict[str, str]:
    parts = re.split(r"^-- ([0-9a-f]{32})$", CATALOG.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_message_is_explained() -> None:
    entries = catalog_entries()
    assert set(entries) == set(MESSAGE_IDS.values())
    for text in entries.values():
        assert re.match(r"\nSubject: \S.*\nDefined-By: litestreamd\nDocumentation: man:\S+\n\n\S", text)
        assert max(map(len, text.splitlines())) <= 90
        assert len(text.split("\n\n")) >= 3, "what happened, what it means, what to do"


@pytest.mark.skipif(shutil.which("journalctl") is None, reason="journalctl is missing (apt install systemd)")
def test_the_journal_takes_the_catalog(tmp_path: Path) -> None:
    (tmp_path / "usr/lib/systemd/catalog").mkdir(parents=True)
    (tmp_path / "var/lib/systemd/catalog").mkdir(parents=True)
    shutil.copy(CATALOG, tmp_path / "usr/lib/systemd/catalog")
    done = run("journalctl", f"--root={tmp_path}", "--update-catalog")
    assert (done.returncode, done.stderr) == (0, "")
    listed = run("journalctl", f"--root={tmp_path}", "--list-catalog").stdout
    assert {line.split()[0] for line in listed.splitlines()} == set(MESSAGE_IDS.values())


# --- the rest


def test_the_example_is_a_configuration() -> None:
    config = check_config((UNITS / "example.yml").read_bytes(), Path("/etc/litestreamd/app.yml"), {})
    assert [str(database.path) for database in config.databases] == ["/var/lib/app/app.db"]
    assert config.warnings == ()


def test_the_example_is_one_with_all_that_is_commented_out_too() -> None:
    lines = (UNITS / "example.yml").read_text().splitlines()
    body = [re.sub(r"^( *)# (?=- |  |[a-z-]+:)", r"\1", line) for line in lines[lines.index("dbs:") :]]
    config = check_config("\n".join(body).encode(), Path("/etc/litestreamd/app.yml"), {})
    assert len(config.databases) == 2
    assert len(config.databases[0].replicas) == 2


def test_every_file_is_in_the_table() -> None:
    table = re.findall(r"^\| `([^`]+)`", (UNITS / "README.md").read_text(), flags=re.MULTILINE)
    files = {str(path.relative_to(UNITS)) for path in UNITS.rglob("*") if path.is_file()}
    assert files - {"README.md"} == set(table)


@pytest.mark.skipif(
    shutil.which("systemd-sysusers") is None, reason="systemd-sysusers is missing (apt install systemd)"
)
def test_the_group_is_made(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    done = run("systemd-sysusers", f"--root={tmp_path}", str(UNITS / "sysusers.d" / "litestreamd.conf"))
    assert done.returncode == 0, done.stderr
    assert re.search(r"^litestreamd:", (tmp_path / "etc" / "group").read_text(), flags=re.MULTILINE)
