#!/bin/sh
# Write what a package is built from into a new folder: the files that git knows, as they are here, and nothing that lies
# about beside them. In: $1 the folder. Where there is no git, as in a source package, the list is kept by hand. Refuses a
# tree that git refuses, and one of which git knows no file.
set -eu

mkdir -p "$1"
folder=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -e .git ]; then
  git ls-files --cached -z >"$work/known"
  if ! [ -s "$work/known" ]; then
    echo "export.sh: git knows no file in $PWD yet: add them (git add --all)" >&2
    exit 1
  fi
  git -c core.quotePath=off ls-files --others --exclude-standard >"$work/others"
  if [ -s "$work/others" ]; then
    echo "export.sh: git does not know these files, and no package has them: $(head -n 5 "$work/others" | tr '\n' ' ')" >&2
  fi
else
  find . -type f -not -path './.git/*' -not -path './.venv/*' -not -path './build/*' -not -path './dist/*' \
    -not -path '*/__pycache__/*' -not -path './.*_cache/*' -not -path './.hypothesis/*' -printf '%P\0' >"$work/known"
fi
# Without what was removed and is not committed yet.
# shellcheck disable=SC2016  # for the inner shell
xargs -0 sh -c 'for file; do if [ -f "$file" ]; then printf "%s\0" "$file"; fi; done' sh <"$work/known" >"$work/files"
tar --create --file "$work/tree" --null --verbatim-files-from --files-from "$work/files"
tar --extract --file "$work/tree" --directory "$folder" --no-same-owner
