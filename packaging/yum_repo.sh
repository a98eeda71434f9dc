#!/bin/sh
# Make a signed repository of the built rpms: what `make yum-repo` does.
# In: the packages in dist/rpm (--packages DIR), --output DIR (dist/yum); GPG_KEY, the key that signs, as gpg knows it;
#     YUM_URL, where the repository will be served (else it is told to be where it lies).
# Out: the folder to serve: packages with their signatures, signed metadata, the public key, and litestreamd.repo, which
#     a user puts into /etc/yum.repos.d.
set -eu
umask 022

cd "$(dirname "$0")/.."
packages=dist/rpm output=dist/yum
while [ $# -gt 0 ]; do
  case $1 in
    --packages) packages=$2 && shift ;;
    --output) output=$2 && shift ;;
    *) echo "packaging/yum_repo.sh: unknown argument: $1" >&2 && exit 64 ;;
  esac
  shift
done

if [ -z "${GPG_KEY:-}" ]; then
  echo 'make yum-repo: GPG_KEY is not set: name the key that signs, as gpg --list-secret-keys shows it (no key is made here)' >&2
  exit 64
fi
if ! gpg --batch --list-secret-keys "$GPG_KEY" >/dev/null 2>&1; then
  echo "make yum-repo: gpg has no secret key $GPG_KEY" >&2
  exit 78
fi
found=$(find "$packages" -name '*.rpm' -not -name '*.src.rpm' 2>/dev/null)
if [ -z "$found" ]; then
  echo "make yum-repo: there are no packages in $packages (make rpm)" >&2
  exit 69
fi
if [ -e /etc/debian_version ]; then
  packaging/install_packages.sh createrepo-c rpm
fi

if [ -e "$output" ] && [ -n "$(ls -A "$output")" ] && [ ! -d "$output/repodata" ]; then
  echo "make yum-repo: $output is no repository, and is not empty: say another place with --output" >&2
  exit 64
fi
mkdir -p "$output"
final=$(cd "$output" && pwd)
# Made beside, and exchanged at the end: what fails leaves the old one.
output=$final.new
rm -rf "$output"
mkdir "$output"
log=$(mktemp)
trap 'rm -rf "$log" "$output"' EXIT
find "$packages" -name '*.rpm' -not -name '*.src.rpm' -exec cp -t "$output" {} +
# A signature that a package had is replaced.
rpmsign --define "_gpg_name $GPG_KEY" --define '_gpg_digest_algo sha256' --define "__gpg $(command -v gpg)" \
  --addsign "$output"/*.rpm >"$log" 2>&1 || { cat "$log" >&2 && exit 1; }
createrepo_c --quiet --no-database "$output"
gpg --batch --yes --local-user "$GPG_KEY" --detach-sign --armor "$output/repodata/repomd.xml"
gpg --batch --armor --export "$GPG_KEY" >"$output/RPM-GPG-KEY-litestreamd"

url=${YUM_URL:-file://$final}
cat >"$output/litestreamd.repo" <<END
[litestreamd]
name=litestreamd
baseurl=$url
enabled=1
gpgcheck=1
repo_gpgcheck=1
gpgkey=$url/RPM-GPG-KEY-litestreamd
END
rm -rf "$final"
mv "$output" "$final"
echo "$final is ready to be served at $url. On a machine of Fedora or EL 10 (with EPEL), as root:"
echo
echo "    curl -o /etc/yum.repos.d/litestreamd.repo $url/litestreamd.repo"
echo '    dnf install litestreamd'
echo
gpg --batch --with-colons --fingerprint "$GPG_KEY" | sed -n 's/^fpr:::::::::\([0-9A-F]*\):$/The key, to be compared: \1/p' | head -1
