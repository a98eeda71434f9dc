"""A folder replica as configured."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FolderSettings:
    """`path`: the absolute folder that is the replica's root."""

    path: Path
    kind: ClassVar[str] = "file"

    @property
    def url(self) -> str:
        """The place as a URL."""
        return f"file://{self.path}"

    def below(self, relative: str) -> "FolderSettings":
        """The folder `relative` in it."""
        return FolderSettings(self.path / relative)

    @property
    def service(self) -> str:
        """This machine."""
        return "file"
