"""The replicas of one database entry, as ReplicaSpec values.

In: the entry's section, with `replica:` or `replicas:`. Out: specs with unique names, each with its
place in the file; faults are noted, and a replica that has one is left out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from litestreamd.basics.errors import UsageError
from litestreamd.config import nodes
from litestreamd.config.identities import identities
from litestreamd.config.keys import S3_KEYS, Place
from litestreamd.config.nodes import Mark, Node, Scalar, kind_of
from litestreamd.config.places import KINDS, absolute, check_type, file_root, url_scheme
from litestreamd.config.reading import Reading
from litestreamd.config.rules import PlacedRules, read_rules, settle_rules
from litestreamd.config.s3 import S3Reader
from litestreamd.config.section import Section
from litestreamd.replica.folder.settings import FolderSettings
from litestreamd.replica.port import ReplicaSpec, StoreSettings

_NAME_LENGTH = 64
_NAME_MARKS = frozenset("-_.")


@dataclass(frozen=True, slots=True)
class PlacedReplica:
    """A replica and where its place is named in the file."""

    spec: ReplicaSpec
    mark: Mark


@dataclass(frozen=True, slots=True)
class ReplicaReader:
    """Reads replica entries; the defaults come from the top of the file, `home` is the environment for `~`."""

    reading: Reading
    home: Mapping[str, str]
    default_sync_interval_s: float
    s3: S3Reader
    default_identities: tuple[str, ...] = field(default=(), repr=False)

    def read(self, entry: Section, outer: PlacedRules) -> list[PlacedReplica]:
        """All replicas of a database entry; `outer` are the rules it gives them."""
        found = []
        taken: dict[str, Mark] = {}
        for node in self._nodes(entry):
            section = self._section(node)
            if section is None:
                continue
            kind = self._kind(section)
            if kind is None:
                continue
            name = self._name(section, kind, taken)
            store = self._store(section, kind)
            interval_s = section.duration("sync-interval", self.default_sync_interval_s, positive=True)
            keys = identities(section, self.reading, self.default_identities)
            rules = settle_rules(read_rules(section, self.reading, outer), self.reading)
            if store is not None and name is not None:
                spec = ReplicaSpec(name, store, interval_s, rules, keys)
                found.append(PlacedReplica(spec, _mark(section)))
        return found

    def _nodes(self, entry: Section) -> Iterator[Node]:
        """The nodes of the replicas, whichever key holds them."""
        one, several = entry.node("replica"), entry.node("replicas")
        faults = self.reading.faults
        if one is not None and several is not None:
            faults.add(several.mark, "replica and replicas exclude each other: keep replicas for several")
        if one is not None:
            yield one
        if isinstance(several, nodes.Sequence):
            if not several.items:
                faults.add(several.mark, "replicas is empty: name at least one replica")
            yield from several.items
        elif several is not None:
            faults.add(several.mark, f"replicas takes a list, not {kind_of(several)}; a single one is called replica")
        elif one is None:
            faults.add(entry.mark, "this database has no replica: add replica, or a list called replicas")

    def _section(self, node: Node) -> Section | None:
        """The replica's mapping; None when it is none."""
        if not isinstance(node, nodes.Mapping):
            self.reading.faults.add(node.mark, f"a replica takes keys such as path or url, not {kind_of(node)}")
            return None
        return Section(node, Place.REPLICA, self.reading, foreign=_is_foreign(node))

    def _kind(self, section: Section) -> str | None:
        """The type; None, with a fault, for one that this version cannot keep. URL and `type` must agree."""
        scheme = url_scheme(section.text("url", secret=True) or "")
        declared = (section.text("type") or scheme or "file").strip().lower()
        try:
            check_type(scheme or declared)
            if scheme is not None and declared != scheme:
                raise UsageError(f"type and url contradict each other: the URL is of type {scheme}")
        except UsageError as error:
            section.fault("url" if scheme else "type", str(error))
            return None
        return declared

    def _name(self, section: Section, kind: str, taken: dict[str, Mark]) -> str | None:
        """The replica's name, unique within the database. It is part of file names in the local state."""
        name = section.text("name") if section.node("name") else kind
        if name is None:
            return None
        bare = name.isascii() and "".join(c for c in name if c not in _NAME_MARKS).isalnum()
        if not bare or name[0] in _NAME_MARKS or len(name) > _NAME_LENGTH:
            section.fault(
                "name", "a replica's name has up to 64 letters, digits, '-', '_' or '.', a letter or digit first"
            )
            return None
        if name in taken:
            where = f"the replica on line {taken[name].line} has the name {name} too"
            section.fault("name", f"{where}: give each replica of a database its own name")
            return None
        taken[name] = section.place_of("name")
        return name

    def _store(self, section: Section, kind: str) -> StoreSettings | None:
        if kind == "s3":
            return self.s3.read(section)
        for key in S3_KEYS:
            if section.node(key.name) is not None:
                sentence = f"{key.name} belongs to replicas of type s3, and this one is a folder"
                section.fault(key.name, f"{sentence}: add type: s3, or remove {key.name}")
        root = self._root(section)
        return None if root is None else FolderSettings(root)

    def _root(self, section: Section) -> Path | None:
        """The folder of a file replica, from `url` or `path`."""
        has_url, has_path = section.node("url") is not None, section.node("path") is not None
        key = "url" if has_url else "path"
        if has_url and has_path:
            section.fault("path", "url and path exclude each other")
        if not has_url and not has_path:
            section.fault("path", "this replica has no place: add path: /folder or url: file:///folder")
            return None
        text = section.text(key, secret=has_url)
        if text is None:
            return None
        try:
            return file_root(text, self.home) if has_url else absolute(text, self.home)
        except UsageError as error:
            section.fault(key, str(error))
            return None


def _mark(section: Section) -> Mark:
    """Where the place of a replica is named; the replica itself when the bucket of the top is all there is."""
    name = next((name for name in ("url", "path", "bucket") if section.node(name) is not None), "path")
    return section.place_of(name)


def _is_foreign(node: nodes.Mapping) -> bool:
    """True when the replica is plainly of a type that we do not keep; only spares faults that say the same again."""
    kind, url = node.get("type"), node.get("url")
    scheme = url_scheme(url.text) if isinstance(url, Scalar) else None
    declared = kind.text if isinstance(kind, Scalar) and not kind.is_null else "file"
    return (scheme or declared.strip().lower()) not in KINDS
