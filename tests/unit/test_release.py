"""One version, told the same everywhere; the changelog; what the SBOM tells is what the packages bring along."""

import hashlib
import json
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import litestreamd
from tests.support.programs import TREE

SOURCES = TREE / "build" / "sources"
SBOM = TREE / "packaging" / "sbom.py"
HEADING = re.compile(r"^## \[(?P<version>[^]]+)\](?: - (?P<date>\d{4}-\d\d-\d\d))?$", re.MULTILINE)
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def text(path: str) -> str:
    return (TREE / path).read_text()


def test_the_version_is_told_once() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", litestreamd.__version__)
    assert 'dynamic = ["version"]' in text("pyproject.toml")
    assert 'version = { attr = "litestreamd.__version__" }' in text("pyproject.toml")
    # The spec is filled in by what builds it, and the manual pages too.
    assert "%global package_version 0\n" in text("packaging/rpm/litestreamd.spec")
    assert "litestreamd/__init__.py" in text("packaging/rpm/build.sh")
    assert "litestreamd/__init__.py" in text("packaging/manpages.sh")
    for page in (TREE / "docs" / "man").glob("*.md"):
        assert not re.search(r"\d+\.\d+", page.read_text().splitlines()[0]), page.name


def test_debians_changelog_tells_it_too() -> None:
    (newest, *_) = re.findall(r"^litestreamd \(([^)]+)\)", text("packaging/debian/changelog"), re.MULTILINE)
    assert newest == litestreamd.__version__


def test_the_changelogs_newest_release_is_this_version() -> None:
    found = list(HEADING.finditer(text("CHANGELOG.md")))
    assert len(found) == len(re.findall(r"^## ", text("CHANGELOG.md"), re.MULTILINE)), "a heading is not understood"
    releases = [each for each in found if each["version"] != "Unreleased"]
    assert releases[0]["version"] == litestreamd.__version__
    assert all(each["date"] for each in releases)
    numbers = [tuple(map(int, each["version"].split("."))) for each in releases]
    assert numbers == sorted(numbers, reverse=True)


def test_the_changelog_keeps_its_form() -> None:
    lines = text("CHANGELOG.md").splitlines()
    assert {line[4:] for line in lines if line.startswith("### ")} <= KINDS
    assert max(map(len, lines)) <= 130


# The SBOM


def licence(component: dict[str, Any]) -> str:
    (only,) = component["licenses"]
    return str(only["expression"])


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if not SOURCES.exists():
        pytest.skip("build/sources is missing: `make sources` fetches it")
    return write(tmp_path_factory.mktemp("sbom") / "bom.json")


def write(file: Path) -> dict[str, Any]:
    subprocess.run([sys.executable, SBOM, "--output", file], check=True, timeout=60, capture_output=True)
    loaded = json.loads(file.read_text())
    assert isinstance(loaded, dict)
    return loaded


def test_it_is_cyclonedx(document: dict[str, Any]) -> None:
    validation = pytest.importorskip("cyclonedx.validation.json")
    schema = pytest.importorskip("cyclonedx.schema")
    validator = validation.JsonStrictValidator(schema.SchemaVersion.V1_6)
    assert validator.validate_str(json.dumps(document)) is None
    assert validator.validate_str(json.dumps(document | {"components": [{"name": "no type"}]})) is not None


def test_every_pin_is_in_it_and_is_the_archive(document: dict[str, Any]) -> None:
    listed = {each["name"]: each for each in document["components"] if each["purl"].startswith("pkg:pypi/")}
    pinned = re.findall(
        r"^([\w.-]+)==(\S+) --hash=sha256:(\w+)",
        text("packaging/sources.txt") + text("packaging/rpm/sources.txt"),
        re.M,
    )
    assert len(pinned) >= 5
    assert {name.replace("_", "-") for name, _, _ in pinned} == set(listed)
    for name, version, sha256 in pinned:
        component = listed[name.replace("_", "-")]
        assert (component["version"], component["hashes"]) == (version, [{"alg": "SHA-256", "content": sha256}])
        assert hashlib.sha256((SOURCES / f"{name}-{version}.tar.gz").read_bytes()).hexdigest() == sha256


def test_licences_are_those_that_the_packages_tell(document: dict[str, Any]) -> None:
    told = {each["name"]: licence(each) for each in document["components"] if "licenses" in each}
    assert told == {
        "anycrc": "Zlib AND BSD-3-Clause", "cysystemd": "Apache-2.0", "cython": "Apache-2.0",
        "inotify-simple": "BSD-2-Clause", "sdnotify": "MIT",
    }  # fmt: skip
    copyright_file = text("packaging/debian/copyright")
    for name in ("anycrc", "inotify_simple", "cython", "cysystemd"):
        section = copyright_file.partition(f"Files: build/sources/{name}-*\n")[2].partition("\n\n")[0]
        assert re.search(r"^License: (.*)$", section, re.M)[1].replace(" and ", " AND ") == told[name.replace("_", "-")]  # type: ignore[index]


def test_every_dependency_of_the_package_is_in_it(document: dict[str, Any]) -> None:
    named = {each["name"] for each in document["components"] if each["purl"].startswith("pkg:deb/")}
    control = text("packaging/debian/control").partition("\nPackage: litestreamd\n")[2].partition("\nSuggests:")[0]
    assert named == set(re.findall(r"^ ([a-z0-9-]+)(?: \(.*\))?,$", control, re.M))
    assert {"python3-apsw", "python3-boto3", "systemd"} <= named


def test_the_same_sources_the_same_bytes(tmp_path: Path, document: dict[str, Any]) -> None:
    assert write(tmp_path / "again.json") == document
    write(tmp_path / "third.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "third.json").read_bytes()


def test_an_archive_that_was_not_pinned_is_refused(tmp_path: Path) -> None:
    (name, version, _, *_) = re.findall(r"^([\w.-]+)==(\S+) --hash=sha256:(\w+)", text("packaging/sources.txt"), re.M)[
        0
    ]
    (tmp_path / f"{name}-{version}.tar.gz").write_bytes(b"another")
    done = subprocess.run(
        [sys.executable, SBOM, "--sources", tmp_path, "--output", tmp_path / "bom.json"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == f"sbom.py: {tmp_path / f'{name}-{version}.tar.gz'} is not the one that was pinned\n"
    assert not (tmp_path / "bom.json").exists()


def test_every_pin_has_a_role() -> None:
    parts = runpy.run_path(str(SBOM))
    pinned = {name for name, _, _ in parts["pins"](TREE / "packaging/sources.txt", TREE / "packaging/rpm/sources.txt")}
    assert set(parts["ROLES"]) == {parts["normal"](name) for name in pinned}
    assert parts["BUILD_TOOLS"] | parts["SEPARATE"] | set(parts["KNOWN"]) <= set(parts["ROLES"])
