"""The manifest of a replica: which objects it must hold, as far as this machine knows.

In: objects that were created, and those about to be deleted. Out: what has to be there, after a restart as well.
Promised: no crash at any point makes it name an object that was deleted on purpose; what it lacks after a crash is
objects only that were just created. A manifest that cannot be read, or is of another place, is none.
How: `<name>.objects` is a log of lines: the first names the place, `=` a writer epoch of ours, `+` an object (noted
after it was durable on the replica), `-` one that is about to be deleted (durable before it is). It is written anew at
each admission, and when most of it is past.
"""

import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from litestreamd.basics.errors import EnvironmentFault
from litestreamd.database.disk import private, state_disk, write_whole
from litestreamd.ltx.names import ObjectName, parse_name

_HEAD = "litestreamd objects 1 "
_UNKNOWN = "-"
REWRITE_LINES = 4096
"""So many lines that are past are not worth a rewrite."""


@dataclass(frozen=True, slots=True)
class Noted:
    """What is known of an object. size: bytes. checksum: of its trailer, None when it was only listed."""

    size: int
    checksum: int | None = None


@dataclass(slots=True)
class Content:
    """What a log says: the place, the epoch of our last writer, the objects; and its lines."""

    root: str
    epoch: int = 0
    objects: dict[ObjectName, Noted] = field(default_factory=dict)
    lines: int = 0


class Manifest:
    """Of one replica at one place (`root`, a URL without secrets); `folder` is the state's `replicas`. One thread at a
    time writes."""

    def __init__(self, folder: Path, replica: str, root: str) -> None:
        self._path = folder / f"{replica}.objects"
        self._root = root
        self._content: Content | None = None

    def load(self) -> Content | None:
        """What is on disk now; None when there is none for this place. Raises EnvironmentFault."""
        with state_disk(self._path, "read"), suppress(FileNotFoundError), open(self._path, "rb", opener=private) as log:
            content = parse(log.read())
            if content is not None and content.root == self._root:
                return content
        return None

    @property
    def objects(self) -> Mapping[ObjectName, Noted]:
        """What has to be there; nothing before `begin`."""
        return self._content.objects if self._content is not None else {}

    def begin(self, epoch: int, objects: Mapping[ObjectName, Noted]) -> None:
        """From now on this is what the replica holds. Raises EnvironmentFault."""
        self._content = Content(self._root, epoch, dict(objects))
        with self._or_none():
            self._rewrite()

    def opened(self, epoch: int) -> None:
        """A writer epoch of ours. Raises EnvironmentFault."""
        if self._content is not None and self._content.epoch != epoch:
            self._content.epoch = epoch
            with self._or_none():
                self._append([f"= {epoch}"], durable=True)

    def created(self, name: ObjectName, noted: Noted) -> None:
        """It is durable on the replica. Raises EnvironmentFault."""
        if self._content is not None:
            self._content.objects[name] = noted
            with self._or_none():
                self._append([_line_of(name, noted)], durable=False)

    def deleting(self, names: Iterable[ObjectName]) -> None:
        """They are about to be deleted. Raises EnvironmentFault."""
        if self._content is None:
            return
        known = [name for name in names if self._content.objects.pop(name, None) is not None]
        if known:
            with self._or_none():
                self._append([f"- {name}" for name in known], durable=True)

    def forget_on_disk(self, name: ObjectName) -> None:
        """As `deleting`, before there was a `begin`. Raises EnvironmentFault."""
        content = self.load()
        if content is not None and content.objects.pop(name, None) is not None:
            self._content = content
            self._rewrite()

    @contextmanager
    def _or_none(self) -> Iterator[None]:
        """A disk that takes nothing must not keep a replica from getting its files: then there is no manifest until the
        next `begin`. Raises EnvironmentFault when not even that can be had."""
        try:
            yield
        except EnvironmentFault:
            self._content = None
            with state_disk(self._path, "removed"):
                self._path.unlink(missing_ok=True)

    def _append(self, lines: list[str], durable: bool) -> None:
        content = self._content
        assert content is not None
        content.lines += len(lines)
        if content.lines > REWRITE_LINES + 2 * len(content.objects):
            self._rewrite()
            return
        data = "".join(f"{line}\n" for line in lines).encode()
        with state_disk(self._path, "written"):
            descriptor = private(self._path, os.O_WRONLY | os.O_APPEND)
            try:
                if os.write(descriptor, data) != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                if durable:
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def _rewrite(self) -> None:
        content = self._content
        assert content is not None
        lines = [_HEAD + content.root, f"= {content.epoch}"]
        lines += [_line_of(name, noted) for name, noted in content.objects.items()]
        write_whole(self._path, "".join(f"{line}\n" for line in lines).encode())
        content.lines = len(lines)


def parse(data: bytes) -> Content | None:
    """What a log says. A last line without its end is not counted: the write of it was broken off. None for what is no
    log, or has a line in its midst that makes no sense: whatever stood behind it cannot be trusted either."""
    try:
        lines = data.decode().split("\n")[:-1]
    except UnicodeDecodeError:
        return None
    if not lines or not lines[0].startswith(_HEAD):
        return None
    content = Content(lines[0].removeprefix(_HEAD), lines=len(lines))
    for line in lines[1:]:
        if not _take(line, content):
            return None
    return content


def _take(line: str, content: Content) -> bool:
    """Whether the line makes sense."""
    match line.split(" "):
        case ["=", epoch] if _is_number(epoch):
            content.epoch = int(epoch)
            return True
        case ["-", text] if (name := parse_name(text)) is not None:
            content.objects.pop(name, None)
            return True
        case ["+", text, size, checksum] if (name := parse_name(text)) is not None and _is_number(size):
            with suppress(ValueError):
                content.objects[name] = Noted(int(size), None if checksum == _UNKNOWN else int(checksum, 16))
                return True
    return False


def _line_of(name: ObjectName, noted: Noted) -> str:
    return f"+ {name} {noted.size} {_UNKNOWN if noted.checksum is None else f'{noted.checksum:016x}'}"


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
