"""Finds whole page frames at the front of a buffer.

In: a view of bytes that starts at a frame. Out: a `Run` of frames of one encoding, and how many bytes the next step
needs. A size that no page can have is refused at once, so that nobody waits for gigabytes that never make sense.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from litestreamd.basics.checksum import Buffer
from litestreamd.ltx.errors import Malformed, Unsupported
from litestreamd.ltx.old_frames import expand_frame, frame_length
from litestreamd.ltx.pages import FRAME_HEADER, SIZED, SIZED_HEADER, expand_blocks, largest_block, sized_headers

NEXT_FRAME = SIZED_HEADER.size
"""Bytes that must be there to look at a frame. No valid file ends sooner: index and trailer follow the last one."""


@dataclass(slots=True)
class Run:
    """Frames in file order, `size` bytes in all. Empty: `needed` bytes are wanted before there is one."""

    flags: int
    size: int = 0
    needed: int = NEXT_FRAME
    numbers: list[int] = field(default_factory=list)
    bodies: list[memoryview] = field(default_factory=list)

    def headers(self) -> list[bytes]:
        """The bytes before each body, as they are in the file."""
        if self.flags == SIZED:
            return sized_headers(self.numbers, self.bodies)
        return [FRAME_HEADER.pack(number, self.flags) for number in self.numbers]

    def blocks(self) -> Sequence[Buffer]:
        """The LZ4 block of each frame; empty ones where there are none."""
        return self.bodies if self.flags == SIZED else [b""] * len(self.bodies)

    def expand(self, page_size: int) -> list[bytes]:
        """The page of each frame. Raises Malformed."""
        if self.flags == SIZED:
            return expand_blocks(self.bodies, self.numbers, page_size)
        frames = zip(self.bodies, self.numbers, strict=True)
        return [expand_frame(body, number, page_size) for body, number in frames]


def scan(view: memoryview, page_size: int, most: int) -> Run:
    """Up to `most` frames from the front of a view of at least NEXT_FRAME bytes. Raises Malformed or Unsupported."""
    number, flags = FRAME_HEADER.unpack_from(view)
    run = Run(flags)
    if flags == SIZED:
        _scan_blocks(view, run, largest_block(page_size), most)
    elif flags == 0:
        _scan_frames(view, run, page_size, most)
    else:
        raise Unsupported(f"page {number} has flags {flags:#x}, which are not known")
    return run


def _scan_blocks(view: memoryview, run: Run, limit: int, most: int) -> None:
    unpack, header_size, available = SIZED_HEADER.unpack_from, SIZED_HEADER.size, len(view)
    add_number, add_body, position = run.numbers.append, run.bodies.append, 0
    for _ in range(most):
        start = position + header_size
        if start > available:
            break
        number, flags, size = unpack(view, position)
        if flags != SIZED:
            break
        if size > limit:
            raise Malformed(f"page {number} claims {size} compressed bytes, but {limit} are the most it can have")
        end = start + size
        if end > available:
            run.needed = end - position
            break
        add_number(number)
        add_body(view[start:end])
        position = end
    run.size = position


def _scan_frames(view: memoryview, run: Run, page_size: int, most: int) -> None:
    while len(run.numbers) < most and len(view) - run.size >= NEXT_FRAME:
        number, flags = FRAME_HEADER.unpack_from(view, run.size)
        if flags != run.flags or number == 0:
            break
        start = run.size + FRAME_HEADER.size
        length = frame_length(view[start:], page_size)
        if start + length > len(view):
            run.needed = start + length - run.size
            break
        run.numbers.append(number)
        run.bodies.append(view[start : start + length])
        run.size = start + length
