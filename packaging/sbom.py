#!/usr/bin/env python3
"""What the packages bring along and stand on, as a CycloneDX document: what `make sbom` does.

In: build/sources (`make sources`), and the files that pin and name the rest: packaging/sources.txt,
packaging/rpm/sources.txt, packaging/debian/control. Options: --sources DIR, --output FILE.
Out: the document, the same bytes from the same sources. It has no time of its own, and its number is computed from it.

Names, versions and checksums come from the pins; the licences from the metadata that the authors wrote into their
archives. What they did not write there, or not as SPDX does, is told in KNOWN, with the reason.
"""

import argparse
import hashlib
import json
import re
import sys
import tarfile
import uuid
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import Any

TREE = Path(__file__).resolve().parents[1]
PIN = re.compile(r"^(?P<name>[A-Za-z][\w.-]*)==(?P<version>\S+) --hash=sha256:(?P<sha256>[0-9a-f]{64})$")
RELATION = re.compile(r"^ (?P<name>[a-z0-9][a-z0-9.+-]*)(?: \(>= (?P<least>[^)]+)\))?,?$")
CLASSIFIERS = {
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: MIT License": "MIT",
}
KNOWN = {
    # A folder of anycrc's archive with a LICENSE of its own, compiled into the same module; the metadata is silent.
    "anycrc": "Zlib AND BSD-3-Clause",
}
"""SPDX expressions that no metadata tells."""
ROLES = {
    "anycrc": "compiled into the packages",
    "inotify-simple": "copied into the packages",
    "sdnotify": "copied into the rpm alone",
    "cython": "a tool of the build; nothing of it is in a package",
    "cysystemd": "a package of its own, python3-cysystemd",
}
BUILD_TOOLS = {"cython"}
SEPARATE = {"cysystemd"}


def normal(name: str) -> str:
    """As PyPI spells it, which takes `_` and `-` for the same."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(*files: Path) -> list[tuple[str, str, str]]:
    """(name, version, SHA-256) of each line that pins one."""
    lines = [line for file in files for line in file.read_text().splitlines() if line and not line.startswith("#")]
    found = [(line, PIN.match(line)) for line in lines]
    for line, match in found:
        if match is None:
            raise SystemExit(f"sbom.py: this line pins nothing: {line}")
    return [(m["name"], m["version"], m["sha256"]) for _, m in found if m is not None]


def metadata(archive: Path) -> Message:
    """PKG-INFO at the top of an archive."""
    with tarfile.open(archive) as tar:
        for member in tar:
            if re.fullmatch(r"[^/]+/PKG-INFO", member.name) and (file := tar.extractfile(member)):
                return Parser().parsestr(file.read().decode())
    raise SystemExit(f"sbom.py: {archive} has no PKG-INFO")


def licence(name: str, told: Message) -> str:
    """An SPDX expression."""
    if name in KNOWN:
        return KNOWN[name]
    if expression := told.get("License-Expression"):
        return str(expression)
    for classifier in told.get_all("Classifier", []):
        if classifier in CLASSIFIERS:
            return CLASSIFIERS[classifier]
    raise SystemExit(f"sbom.py: the metadata of {name} tells no licence that is known here")


def archive_of(folder: Path, name: str, version: str, sha256: str) -> Path:
    """The archive that was pinned, and no other."""
    path = folder / f"{name}-{version}.tar.gz"
    if not path.exists():
        raise SystemExit(f"sbom.py: {path} is missing: make sources")
    if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise SystemExit(f"sbom.py: {path} is not the one that was pinned")
    return path


def bundled(folder: Path) -> list[dict[str, Any]]:
    """The components that are pinned, in the order of their names."""
    found = []
    for name, version, sha256 in pins(TREE / "packaging/sources.txt", TREE / "packaging/rpm/sources.txt"):
        told, key = metadata(archive_of(folder, name, version, sha256)), normal(name)
        purl = f"pkg:pypi/{key}@{version}"
        found.append(
            {
                "type": "library",
                "bom-ref": purl,
                "name": key,
                "version": version,
                "description": str(told["Summary"]),
                "scope": "excluded" if key in BUILD_TOOLS else "optional" if key in SEPARATE else "required",
                "hashes": [{"alg": "SHA-256", "content": sha256}],
                "licenses": [{"expression": licence(key, told)}],
                "purl": purl,
                "properties": [{"name": "litestreamd:role", "value": ROLES[key]}],
            }
        )
    return sorted(found, key=lambda each: each["name"])


def depended(control: Path) -> list[dict[str, Any]]:
    """What the distribution brings: as the Debian package names it; the rpm has the same under Fedora's names."""
    text = control.read_text().partition("\nPackage: litestreamd\n")[2].partition("\n\n")[0]
    section = text.partition("\nDepends:\n")[2]
    found = []
    for line in section.splitlines():
        if not line.startswith(" "):
            break
        if "${" in line:
            continue
        if (match := RELATION.match(line)) is None:
            raise SystemExit(f"sbom.py: this dependency in {control} is not understood: {line.strip()}")
        role = "from the distribution" + (f", {match['least']} or newer" if match["least"] else "")
        purl = f"pkg:deb/debian/{match['name']}"
        found.append(
            {
                "type": "library",
                "bom-ref": purl,
                "name": match["name"],
                "scope": "required",
                "purl": purl,
                "properties": [{"name": "litestreamd:role", "value": role}],
            }
        )
    return sorted(found, key=lambda each: each["name"])


def version_of(tree: Path) -> str:
    """The one place."""
    match = re.search(r'^__version__ = "(.+)"$', (tree / "litestreamd/__init__.py").read_text(), re.MULTILINE)
    assert match is not None
    return match[1]


def document(folder: Path) -> dict[str, Any]:
    """The whole."""
    version = version_of(TREE)
    own = f"pkg:generic/litestreamd@{version}"
    components = bundled(folder) + depended(TREE / "packaging/debian/control")
    needed = sorted(each["bom-ref"] for each in components if each["scope"] == "required")
    found: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": "litestreamd",
                "version": version,
                "licenses": [{"expression": "Apache-2.0"}],
                "purl": own,
            }
        },
        "components": components,
        "dependencies": [{"ref": own, "dependsOn": needed}, *({"ref": ref} for ref in needed)],
    }
    content = json.dumps(found, sort_keys=True)
    return {**found, "serialNumber": uuid.uuid5(uuid.NAMESPACE_URL, content).urn}


def main() -> int:
    """Write it, and say where."""
    parser = argparse.ArgumentParser(description="What the packages bring along and stand on, as CycloneDX")
    parser.add_argument("--sources", type=Path, default=TREE / "build" / "sources")
    parser.add_argument("--output", type=Path, default=TREE / "dist" / f"litestreamd-{version_of(TREE)}.cdx.json")
    given = parser.parse_args()
    text = json.dumps(document(given.sources), indent=2, ensure_ascii=False) + "\n"
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{given.output}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
