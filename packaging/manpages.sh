#!/bin/sh
# Make the man pages of docs/man and install them. In: $1 the tree (DESTDIR); pandoc; SOURCE_DATE_EPOCH, the day that
# stands on them. Out: TREE/usr/share/man/manN/NAME.N.gz, the same bytes each time.
set -eu

tree=$1
cd "$(dirname "$0")/../docs/man"
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' ../../litestreamd/__init__.py)
day=$(date -u -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}" +%Y-%m-%d)
for page in *.md; do
  name=${page%.md} section=${page%.md}
  folder=$tree/usr/share/man/man${section##*.}
  mkdir -p "$folder"
  # The title line of a page is "% NAME(N) litestreamd | Chapter": the version and the day complete it.
  sed "1s/ litestreamd |/ litestreamd $version |/" "$page" |
    pandoc --standalone --from markdown --to man --metadata "date=$day" | gzip -9n >"$folder/$name.gz"
  chmod 644 "$folder/$name.gz"
done
