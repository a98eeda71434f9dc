"""A folder replica as configured."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FolderSettings:
    """`path`: the absolute folder that is the replica's root. `within`: the root that the configuration names when this
    one lies below it; what is between is made when it is wanted."""

    path: Path
    within: Path | None = None
    kind: ClassVar[str] = "file"

    @property
    def url(self) -> str:
        """The place as a URL."""
        return f"file://{self.path}"

    def below(self, relative: str) -> "FolderSettings":
        """The folder `relative` in it."""
        return FolderSettings(self.path / relative, self.within or self.path)

    @property
    def mount(self) -> Path:
        """The folder that has to be there."""
        return (self.within or self.path).parent

    @property
    def service(self) -> str:
        """This machine."""
        return "file"
