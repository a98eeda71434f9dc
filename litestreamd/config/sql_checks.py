"""`verify.checks`: SQL that every drill asks the restored database.

In: the section that may have `verify`. Out: the queries, those of a database instead of those at the top.
"""

from litestreamd.config import nodes
from litestreamd.config.nodes import kind_of
from litestreamd.config.reading import Reading
from litestreamd.config.section import Section

NAME = "verify.checks"


def sql_checks(section: Section, reading: Reading, default: tuple[str, ...]) -> tuple[str, ...]:
    """A list of queries, or one."""
    node = section.section("verify").node("checks")
    if node is None:
        return default
    if isinstance(node, nodes.Mapping):
        reading.faults.add(node.mark, f"{NAME} takes a list of queries (- SELECT ...), not {kind_of(node)}")
        return ()
    items = node.items if isinstance(node, nodes.Sequence) else (node,)
    found = []
    for item in items:
        text = reading.text(item, NAME)
        if text is not None and not text.strip():
            reading.faults.add(item.mark, f"{NAME}: this query is empty")
        elif text is not None:
            found.append(text.strip())
    return tuple(found)
