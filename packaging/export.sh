#!/bin/sh
# Write what a package is built from into a new folder: the files that git knows, as they are now, and the pinned sources.
# In: $1 the folder, $2 the folder of sources.
set -eu

mkdir -p "$1/build/sources"
folder=$(cd "$1" && pwd)
cp "$2"/*.tar.gz "$folder/build/sources/"
cd "$(dirname "$0")/.."
# shellcheck disable=SC2016  # for the inner shell
git ls-files -z |
  xargs -0 sh -c 'for file; do [ ! -e "$file" ] || printf "%s\0" "$file"; done' sh |
  tar --create --null --files-from=- | tar --extract --directory="$folder" --no-same-owner
