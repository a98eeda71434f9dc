#!/bin/sh
# Fetch the pinned sources of what the packages bring along. In: $1 the folder; PYTHON, one with pip. Out: the archives.
# A file that is not the one that was pinned is refused.
set -eu

mkdir -p "$1"
folder=$(cd "$1" && pwd)
cd "$(dirname "$0")"
# To tell its name, an archive is asked for its metadata; Cython would translate itself for that.
export NO_CYTHON_COMPILE=true
"${PYTHON:-python3}" -m pip --disable-pip-version-check download --quiet --no-deps --no-binary :all: \
  --require-hashes --requirement sources.txt --requirement rpm/sources.txt --dest "$folder"
