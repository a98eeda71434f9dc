#!/bin/sh
# Build what the package brings along, offline, into the folder of the modules: the fast CRC-64 and inotify.
# In: $1 the folder of sources (packaging/fetch.sh), $2 the tree (DESTDIR); CC, CFLAGS, LDFLAGS. Out: two modules, which
# hold for every Python from 3.11 on: the one in C keeps to the stable ABI.
set -eu

sources=$(cd "$1" && pwd)
modules=$2/usr/lib/litestreamd
mkdir -p "$modules"
modules=$(cd "$modules" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

unpack() { # name
  tar -xf "$sources/$1"-*.tar.gz --no-same-owner
}
unpack anycrc
unpack cython
unpack inotify_simple

# Cython runs as it is, from its sources. The pyproject.toml speaks of a setuptools that is newer than Debian 12's;
# what builds the extension is in setup.py.
cd "$work"/anycrc-*
rm pyproject.toml
PYTHONPATH=$(echo "$work"/cython-*) CFLAGS="${CFLAGS:-} -ffile-prefix-map=$work=." \
  /usr/bin/python3 setup.py --quiet build_ext --build-lib built
install -D -m 644 -t "$modules/anycrc" src/anycrc/__init__.py src/anycrc/models.py src/anycrc/utils.py
install -m 755 -t "$modules/anycrc" built/anycrc/crc.abi3.so

install -m 644 -t "$modules" "$work"/inotify_simple-*/inotify_simple.py
