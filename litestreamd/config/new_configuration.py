"""The text of a configuration for a new instance, from the little that a command line says.

In: paths of databases, URLs or folders of replicas. Out: YAML with comments. Promised: read by our own reader it means
what the URLs mean; secrets are in no URL that a command line may have, so there is none in it.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from litestreamd.config.load import replica_from_url
from litestreamd.replica.folder.settings import FolderSettings

_PLAIN = re.compile(r"[A-Za-z0-9_/.][A-Za-z0-9_/.:?=%&+@-]*[A-Za-z0-9_/]")
_BREAKS = re.compile("[\x85\u2028\u2029\ufeff]")
_AMBIGUOUS = re.compile(r"[0-9.+-][0-9._+:eExXoa-fA-F-]*|true|false|yes|no|on|off|null|~", re.IGNORECASE)


def new_configuration(
    instance: str, databases: Sequence[Path], replicas: Sequence[str], environment: Mapping[str, str]
) -> str:
    """Several databases share the replicas, each in a folder of its own name there. Raises UsageError for a URL."""
    lines = [
        f"# litestreamd@{instance}.service protects these databases, and stands around {instance}.service.",
        "# Every key: man litestreamd.yml. After a change: systemctl reload litestreamd@" + instance,
        f"# After a change of folders: litestreamd init {instance}, and what it tells to do next.",
        "",
        "dbs:",
    ]
    for path in databases:
        lines += [f"  - path: {scalar(str(path))}", "    replicas:"]
        below = path.name if len(databases) > 1 else ""
        lines += [f"      {line}" for line in _replicas(replicas, below, environment)]
    lines += [
        "",
        "# How far back every moment can be restored (24h when left out), and what is kept beyond that.",
        "snapshot:",
        "  retention: 7d",
        "#  keep: {daily: 30, monthly: 12}",
        "",
        "# Room for what a replica lacks while it cannot be reached. Left out: a quarter of the free disk.",
        "# spool-quota: 10GiB",
        "",
    ]
    return "\n".join(lines)


def scalar(text: str) -> str:
    """As YAML, such that our reader gives this text again: quoted where YAML or a variable could be meant."""
    text = text.replace("$", "$$")
    if _PLAIN.fullmatch(text) and not _AMBIGUOUS.fullmatch(text):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    # YAML takes these for line breaks, and folds them.
    return _BREAKS.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)


def _replicas(replicas: Sequence[str], below: str, environment: Mapping[str, str]) -> Iterator[str]:
    seen: Counter[str] = Counter()
    kinds = Counter(replica_from_url(each, environment).store.kind for each in replicas)
    for each in replicas:
        store = replica_from_url(each, environment).store
        seen[store.kind] += 1
        lines = [f"type: {store.kind}"]
        if kinds[store.kind] > 1:
            lines.append(f"name: {store.kind}-{seen[store.kind]}")
        if isinstance(store, FolderSettings):
            lines.append(f"path: {scalar(str(store.path / below))}")
        else:
            lines.append(f"url: {scalar(_url_below(each, below))}")
        yield f"- {lines[0]}"
        yield from (f"  {line}" for line in lines[1:])


def _url_below(url: str, below: str) -> str:
    if not below:
        return url
    place, question, query = url.partition("?")
    return f"{place.rstrip('/')}/{quote(below)}{question}{query}"
