"""`age.identities`: the keys that open what Litestream 0.3 encrypted.

In: the section that may have `age`. Out: identities, one a line of age. Promised: a fault never shows any of one.
"""

from litestreamd.config import nodes
from litestreamd.config.nodes import kind_of
from litestreamd.config.reading import Reading
from litestreamd.config.section import Section

NAME = "age.identities"
_PREFIX = "AGE-SECRET-KEY-1"


def identities(section: Section, reading: Reading, default: tuple[str, ...]) -> tuple[str, ...]:
    """All identities in the list; an entry may be a whole identity file, with its comments."""
    node = section.section("age").node("identities")
    if node is None:
        return default
    if not isinstance(node, nodes.Sequence):
        reading.faults.add(node.mark, f"{NAME} takes a list (- AGE-SECRET-KEY-1...), not {kind_of(node)}")
        return ()
    found: list[str] = []
    for item in node.items:
        text = reading.text(item, NAME, secret=True)
        lines = [line.strip() for line in (text or "").splitlines()]
        keys = [line for line in lines if line and not line.startswith("#")]
        if text is not None and (not keys or not all(key.startswith(_PREFIX) for key in keys)):
            reading.faults.add(item.mark, f"{NAME}: this is no identity of age: one begins with {_PREFIX}")
        found += keys
    return tuple(found)
