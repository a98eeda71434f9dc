#!/bin/sh
# Build the rpms: what `make rpm` does. On Debian and Ubuntu, where the tools are installed if they are missing, and on
# Fedora and EL, where rpmbuild says what is missing.
# In: --output DIR (dist/rpm), --sources DIR (build/sources; filled when something is not there), --release N (1: the
#     same version built again), --without-check (no tests during the build), --only NAME (one of the two specs);
#     SOURCE_DATE_EPOCH, PYTHON (one with pip, for fetching).
# Out: litestreamd, python3-cysystemd and their source packages, the same bytes from the same sources; exit 1 when rpmlint
#     has something to say.
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
tree=$(cd "$here/../.." && pwd)
cd "$tree"
output=dist/rpm sources=build/sources release=1 check='' only=''
while [ $# -gt 0 ]; do
  case $1 in
    --output) output=$2 && shift ;;
    --sources) sources=$2 && shift ;;
    --release) release=$2 && shift ;;
    --only) only=$2 && shift ;;
    --without-check) check='--without check' ;;
    *) echo "packaging/rpm/build.sh: unknown argument: $1" >&2 && exit 64 ;;
  esac
  shift
done
mkdir -p "$output" "$sources"
output=$(cd "$output" && pwd)
sources=$(cd "$sources" && pwd)

# Tools

needed="gcc libsystemd-dev pandoc pkg-config python3-apsw python3-boto3 python3-dev python3-hypothesis python3-lz4
  python3-prometheus-client python3-pytest python3-pytest-timeout python3-setuptools python3-yaml rpm rpmlint"
debian=''
if [ -e /etc/debian_version ]; then
  # shellcheck disable=SC2086
  "$tree/packaging/install_packages.sh" $needed
  # rpm knows of no package here: dpkg has installed them all.
  debian="--nodeps --load $here/macros.systemd-scriptlets"
fi
# Not a Python from elsewhere that comes first in PATH.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
unset PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE PYTHONSTARTUP

# Sources

pinned() { # files with pins
  sed -n 's/^\([a-z][A-Za-z0-9_.-]*\)==\([^ ]*\).*/\1-\2.tar.gz/p' "$@"
}
for archive in $(pinned "$here/../sources.txt" "$here/sources.txt"); do
  [ -e "$sources/$archive" ] || missing="${missing:-} $archive"
done
if [ -n "${missing:-}" ]; then
  python=${PYTHON:-$tree/.venv/bin/python}
  [ -x "$python" ] || python=/usr/bin/python3
  if ! "$python" -c 'import pip' 2>/dev/null; then
    [ -z "$debian" ] || "$tree/packaging/install_packages.sh" python3-pip
  fi
  PYTHON=$python "$here/../fetch.sh" "$sources"
  "$python" -m pip --disable-pip-version-check download --quiet --no-deps --no-binary :all: \
    --require-hashes --requirement "$here/sources.txt" --dest "$sources"
fi

# The time of all that is built: that of the newest release, or of the last change.
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' litestreamd/__init__.py)
if [ -z "${SOURCE_DATE_EPOCH:-}" ]; then
  day=$(sed -n "s/^## \[$version\] - \([0-9-]*\)\$/\1/p" CHANGELOG.md)
  if [ -n "$day" ]; then
    SOURCE_DATE_EPOCH=$(date -u -d "$day" +%s)
  else
    SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)
  fi
fi
export SOURCE_DATE_EPOCH TZ=UTC LC_ALL=C.UTF-8

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/SOURCES" "$work/SPECS"
cp "$sources"/*.tar.gz "$work/SOURCES"

"$here/../export.sh" "$work/litestreamd-$version"
tar --create --directory "$work" --sort name --mtime "@$SOURCE_DATE_EPOCH" --owner 0 --group 0 --numeric-owner \
  --mode 'u=rwX,go=rX' --format gnu "litestreamd-$version" | gzip -9n >"$work/SOURCES/litestreamd-$version.tar.gz"
find "$work/SOURCES" -exec touch --date "@$SOURCE_DATE_EPOCH" {} +

fill_in() { # spec, version, file with the changelog
  sed -e "s/^%global package_version 0\$/%global package_version $2/" \
    -e "s/^%global package_release 0\$/%global package_release $release/" "$here/$1" | cat - "$3" >"$work/SPECS/$1"
  touch --date "@$SOURCE_DATE_EPOCH" "$work/SPECS/$1"
}
/usr/bin/python3 "$here/changelog.py" CHANGELOG.md "$version" "$release" "$SOURCE_DATE_EPOCH" >"$work/changelog"
fill_in litestreamd.spec "$version" "$work/changelog"
cysystemd=$(pinned "$here/../sources.txt" | sed -n 's/^cysystemd-\(.*\)\.tar\.gz$/\1/p')
printf '* %s The litestreamd developers <developers@litestreamd.example> - %s-%s\n- Version %s of its authors, as it is.\n' \
  "$(date -u -d "@$SOURCE_DATE_EPOCH" '+%a %b %d %Y')" "$cysystemd" "$release" "$cysystemd" >"$work/changelog"
fill_in python-cysystemd.spec "$cysystemd" "$work/changelog"

# Build. What would differ from one build to the next is told: the host and every time. clamp_mtime_... is the name for
# build_mtime_policy in rpm before 4.20.

rpmbuild_in() { # topdir, what to build, spec
  # shellcheck disable=SC2086
  rpmbuild $debian $check \
    --define "_topdir $1" \
    --define '_buildhost localhost' \
    --define 'use_source_date_epoch_as_buildtime 1' \
    --define 'clamp_mtime_to_source_date_epoch 1' \
    --define 'build_mtime_policy clamp_to_source_date_epoch' \
    --define 'source_date_epoch_from_changelog 0' \
    --define '_binary_payload w19.zstdio' \
    --define '_source_payload w19.zstdio' \
    "$2" "SPECS/$3.spec" >log 2>&1 || { cat log >&2 && exit 1; }
}
cd "$work"
for spec in ${only:-litestreamd python-cysystemd}; do
  # A source package holds the spec as it was read, with every path: a relative one is the same everywhere.
  rpmbuild_in . -bs "$spec"
  rpmbuild_in "$work" -bb "$spec"
done

find "$work/RPMS" "$work/SRPMS" -name '*.rpm' >"$work/built"
if command -v rpmlint >/dev/null; then
  # One by one: it mixes up the specs of two source packages.
  while read -r package; do
    rpmlint --strict --config "$here/rpmlint.toml" "$package" >"$work/log" 2>&1 || { cat "$work/log" >&2 && exit 1; }
  done <"$work/built"
else
  echo 'rpmlint is not installed: the packages were not looked at.' >&2
fi
# shellcheck disable=SC2046
install -m 644 -p -t "$output" $(cat "$work/built")
sed 's,.*/,,' "$work/built" | sort | while read -r name; do echo "$output/$name"; done
