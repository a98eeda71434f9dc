"""A configuration of Litestream 0.3 or 0.5 as one of ours, with every key named that does not stay what it was.

In: the text of a file. Out: the text to use, and notes. Promised: only the lines change that have to, comments and
order stay; what has no place here becomes a comment with the reason above it; nothing that protects data (encryption,
a store that we do not have) is dropped: it is a note that forbids the file. No note shows a value.
"""

import json
import re
from dataclasses import dataclass
from enum import Enum

import yaml

from litestreamd.config import keys
from litestreamd.config.keys import Place, State
from litestreamd.config.migration_meanings import MEANINGS
from litestreamd.config.text_edits import TextEdits

_BARE = re.compile(r"\$(?:(?P<kept>\$|\{[^}]*\})|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<alone>))")
_SECRETS = frozenset({"secret-access-key", "access-key-id", "session-token"})
_OF_SNAPSHOT = {"retention": "retention", "snapshot-interval": "interval"}
"""Keys of Litestream 0.3 and what they are called in `snapshot`."""


class Kind(Enum):
    """What becomes of a key."""

    REPLACED = "replaced"
    REMOVED = "removed"
    MEANING = "other meaning"
    FORBIDS = "cannot be taken over"


@dataclass(frozen=True, slots=True)
class Note:
    """line: in the old file, from 1. key: its full name."""

    line: int
    key: str
    kind: Kind
    sentence: str


@dataclass(frozen=True, slots=True)
class Migrated:
    """notes: by line. `is_possible`: nothing forbids it."""

    text: str
    notes: tuple[Note, ...]
    has_secrets: bool

    @property
    def is_possible(self) -> bool:
        """Whether the text means what the old one meant."""
        return not any(note.kind is Kind.FORBIDS for note in self.notes)


def migrate(text: str) -> Migrated:
    """`text` is what our own reader has taken for YAML."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    work = _Migration(text)
    if isinstance(root, yaml.MappingNode):
        work.mapping(root, Place.GLOBAL, "")
        work.variables(root)
    notes = sorted(work.notes, key=lambda note: (note.line, note.key))
    return Migrated(work.edits.text(), tuple(notes), work.has_secrets)


class _Migration:
    def __init__(self, text: str) -> None:
        self.edits = TextEdits(text)
        self.notes: list[Note] = []
        self.has_secrets = False
        self._seen: set[int] = set()

    def mapping(self, node: yaml.MappingNode, place: Place, prefix: str) -> None:
        """Each of its keys; an anchor is looked at once."""
        if id(node) in self._seen:
            return
        self._seen.add(id(node))
        snapshot = _snapshot_of(node) if place is Place.REPLICA and not prefix else {}
        for key, value in node.value:
            name = prefix + str(key.value)
            if name in _OF_SNAPSHOT and snapshot and isinstance(value, yaml.ScalarNode):
                self._to_snapshot(node, key, value, snapshot)
            elif key.value != "<<":
                self._key(key, value, place, name)

    def variables(self, node: yaml.Node) -> None:
        """`$NAME` everywhere; a dollar that is none of a variable is written twice."""
        if id(node) in self._seen and isinstance(node, yaml.ScalarNode):
            return
        if isinstance(node, yaml.ScalarNode):
            self._seen.add(id(node))
            self._variables_in(node)
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if not self.edits.is_gone(key.start_mark.line):
                    self.variables(value)
        elif isinstance(node, yaml.SequenceNode):
            for item in node.value:
                self.variables(item)

    def _key(self, key: yaml.Node, value: yaml.Node, place: Place, name: str) -> None:
        known = keys.find(place, name)
        inner = _inner_place(place, name)
        if name in _SECRETS:
            self.has_secrets = True
        if inner is not None:
            for item in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if isinstance(item, yaml.MappingNode):
                    self.mapping(item, inner, "")
        elif keys.is_section(place, name) and isinstance(value, yaml.MappingNode):
            self.mapping(value, place, f"{name}.")
        elif known is None and keys.is_section(place, name) and not value.value:
            pass  # nothing is left in it
        elif known is None:
            self._remove(key, value, name, "Litestream knows no such key either, and has ignored it: what was meant?")
        elif name in ("type", "url", "logging.type"):
            self._kind(key, value, name)
        elif known.state is State.NO_EFFECT:
            self._remove(key, value, name, f"it has no effect here: {known.note}")
        elif name == "age.recipients" or known in keys.STORE_KEYS:
            self._note(key, name, Kind.FORBIDS, known.note)
        elif known.state in (State.REFUSED, State.NOT_YET):
            self._remove(key, value, name, known.note)
        elif name in MEANINGS:
            self._note(key, name, Kind.MEANING, MEANINGS[name])
            self.edits.comment_above(key, f"litestreamd: {name}: {MEANINGS[name]}")

    def _kind(self, key: yaml.Node, value: yaml.Node, name: str) -> None:
        """What kind of store, by its type or by its URL; of log lines."""
        if name == "logging.type":
            if value.value == "pretty":
                self._note(key, name, Kind.REPLACED, "there is text and json; pretty is text now")
                self.edits.replace(key, value, "type: text")
            return
        kind = str(value.value).partition("://")[0] if name == "url" else str(value.value)
        if kind in (*keys.STORE_TYPES, "gcs"):
            self._note(key, name, Kind.FORBIDS, f"this version keeps replicas of type file and s3, not {kind}")

    def _to_snapshot(self, node: yaml.MappingNode, key: yaml.Node, value: yaml.Node, snapshot: dict[str, str]) -> None:
        """The first of the two becomes `snapshot`, with both in it."""
        name, wanted = str(key.value), ", ".join(f"{name}: {_quoted(text)}" for name, text in snapshot.items())
        note = "a key of Litestream 0.3"
        self._note(key, name, Kind.REPLACED, f"{note}: it is snapshot.{_OF_SNAPSHOT[name]} now")
        first = next(each for each, _ in node.value if each.value in _OF_SNAPSHOT)
        if key is first:
            if "retention" in snapshot:
                self.edits.comment_above(key, f"litestreamd: snapshot.retention: {MEANINGS['snapshot.retention']}")
            self.edits.replace(key, value, f"snapshot: {{{wanted}}}")
        else:
            self.edits.comment_out(key, value, f"litestreamd: {name} is in snapshot above")

    def _remove(self, key: yaml.Node, value: yaml.Node, name: str, why: str) -> None:
        self._note(key, name, Kind.REMOVED, why)
        self.edits.comment_out(key, value, f"litestreamd: {name}: {why}")

    def _note(self, key: yaml.Node, name: str, kind: Kind, sentence: str) -> None:
        self.notes.append(Note(key.start_mark.line + 1, name, kind, sentence))

    def _variables_in(self, node: yaml.ScalarNode) -> None:
        start, end = node.start_mark.index, node.end_mark.index
        written = self.edits.original[start:end]
        changed = _BARE.sub(_braced, written)
        if changed != written:
            self.edits.exchange(start, end, changed)
            sentence = "$NAME is ${NAME} here, and a dollar sign $$; a variable that is not set is an error, not empty"
            self.notes.append(Note(node.start_mark.line + 1, "$", Kind.REPLACED, sentence))


def _braced(match: re.Match[str]) -> str:
    if match["kept"] is not None:
        return match[0]
    return f"${{{match['name']}}}" if match["name"] else "$$"


def _quoted(text: str) -> str:
    """A value within braces, where a variable has some of its own."""
    text = _BARE.sub(_braced, text)
    return text if text.replace(".", "").isalnum() else json.dumps(text)


def _snapshot_of(node: yaml.MappingNode) -> dict[str, str]:
    """What a replica of 0.3 says of its snapshots, by our names; empty when it has a `snapshot` already."""
    found = {str(key.value): value for key, value in node.value}
    if "snapshot" in found:
        return {}
    said = {ours: found[theirs] for theirs, ours in _OF_SNAPSHOT.items() if theirs in found}
    return {ours: str(value.value) for ours, value in said.items() if isinstance(value, yaml.ScalarNode)}


def _inner_place(place: Place, name: str) -> Place | None:
    """Where the keys below this one stand."""
    if place is Place.GLOBAL and name == "dbs":
        return Place.DATABASE
    return Place.REPLICA if place is Place.DATABASE and name in ("replica", "replicas") else None
