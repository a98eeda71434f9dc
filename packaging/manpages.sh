#!/bin/sh
# Make the man pages of docs/man and install them. In: $1 the tree (DESTDIR); pandoc; SOURCE_DATE_EPOCH, the day that
# stands on them (that of the newest version in CHANGELOG.md unless given).
# Out: TREE/usr/share/man/manN/NAME.N.gz, the same bytes each time. Fails when a command has no page.
set -eu

tree=$1
cd "$(dirname "$0")/../docs/man"
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' ../../litestreamd/__init__.py)
if [ -n "${SOURCE_DATE_EPOCH:-}" ]; then
  day=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%d)
else
  day=$(sed -n 's/^## \[[0-9][^]]*\] - \([0-9-]*\)$/\1/p' ../../CHANGELOG.md | head -n 1)
fi
commands=$(sed -n '/^COMMANDS = {$/,/^}$/s/^    "\([a-z-]*\)": .*/\1/p' ../../litestreamd/cli/main.py)
if [ -z "$version" ] || [ -z "$day" ] || [ -z "$commands" ]; then
  echo "manpages.sh: the version, the day or the commands cannot be found" >&2
  exit 1
fi
pages=$(echo "$commands" | sed 's/.*/litestreamd-&.1/')
for page in $pages litestreamd.1 litestreamd.7 litestreamd.yml.5 litestreamd@.service.8; do
  if [ ! -f "$page.md" ]; then
    echo "manpages.sh: docs/man/$page.md is missing" >&2
    exit 1
  fi
done

for page in *.md; do
  name=${page%.md} section=${page%.md}
  made=$tree/usr/share/man/man${section##*.}/$name
  mkdir -p "${made%/*}"
  # The title line of a page is "% NAME(N) litestreamd | Chapter": the version and the day complete it.
  sed "1s/ litestreamd |/ litestreamd $version |/" "$page" |
    pandoc --standalone --from markdown --to man --metadata "date=$day" --output "$made.pandoc"
  # Older pandocs ask for a font C, which groff 1.23 and mandoc do not know, and put a paragraph after each heading.
  sed -e 's/\\f\[C\]/\\f[CR]/g' -e 's/\\f\[C\([BI]*\)\]/\\f[\1]/g' -e '/^\.S[HS] /{n;/^\.PP$/d}' "$made.pandoc" >"$made"
  rm "$made.pandoc"
  gzip -9nf "$made"
  chmod 644 "$made.gz"
done
