#!/bin/sh
# Make a signed repository for apt of the packages that were built: a folder to be served as it is.
# In: $1 the folder of packages (make deb; packages of other releases may lie there too), $2 the repository; GPG_KEY, the
# key that signs (an address or a fingerprint, in the keyring of whoever runs this); APT_URL, where it will be served.
# Out: the repository, its public key, and INSTALL.txt with the lines that a user pastes.
set -eu
umask 022

packages=$(cd "$1" && pwd)
mkdir -p "$2"
repository=$(cd "$2" && pwd)
url=${APT_URL:-https://packages.example.org/apt}
if [ -z "${GPG_KEY:-}" ]; then
  echo 'apt_repo.sh: say which key signs the repository: make apt-repo GPG_KEY=ADDRESS-OR-FINGERPRINT' >&2
  exit 64
fi
"$(dirname "$0")/install_packages.sh" reprepro gnupg
fingerprint=$(gpg --batch --with-colons --list-secret-keys "$GPG_KEY" 2>/dev/null | sed -n 's/^fpr:*\([0-9A-F]*\):*$/\1/p' | head -n 1)
if [ -z "$fingerprint" ]; then
  echo "apt_repo.sh: there is no secret key $GPG_KEY in the keyring: gpg --list-secret-keys shows those that are" >&2
  exit 78
fi

mkdir -p "$repository/conf"
: >"$repository/conf/distributions"
for release in bookworm:12 trixie:13; do
  cat >>"$repository/conf/distributions" <<EOF
Origin: litestreamd
Label: litestreamd
Codename: ${release%:*}
Architectures: amd64 arm64
Components: main
Description: litestreamd, continuous backup for SQLite
SignWith: $fingerprint

EOF
done

# One package of litestreamd is for all releases; python3-cysystemd belongs to one Python, and says so in its version.
for release in bookworm:12 trixie:13; do
  for package in "$packages"/litestreamd_*.deb "$packages"/python3-cysystemd_*~deb"${release#*:}"_*.deb; do
    [ ! -e "$package" ] || reprepro --silent --basedir "$repository" includedeb "${release%:*}" "$package"
  done
done
gpg --batch --yes --output "$repository/litestreamd.gpg" --export "$fingerprint"

cat >"$repository/INSTALL.txt" <<EOF
curl -fsSL $url/litestreamd.gpg -o /usr/share/keyrings/litestreamd.gpg
. /etc/os-release
echo "deb [signed-by=/usr/share/keyrings/litestreamd.gpg] $url \$VERSION_CODENAME main" >/etc/apt/sources.list.d/litestreamd.list
apt update
apt install litestreamd
EOF
cat "$repository/INSTALL.txt"
