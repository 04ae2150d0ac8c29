#!/usr/bin/env bash
# Gets the libraries for 64-bit Arm that a cross build on Debian links with.
#
#   ./scripts/aarch64_packages.sh        they are under build/aarch64-packages afterwards
#
# Debian's arm64 packages are downloaded and unpacked there, not installed: it needs no root, and the system keeps
# its architectures and its packages. Safe to run again; asks for nothing. cmake/aarch64-linux.cmake uses them.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case "${1:-}" in
    "") ;;
    -h | --help) print_help "$0"; exit 0 ;;
    *) unknown_option "$0" "$1" ;;
esac

# Shared libraries beside the -dev packages that name them; the last two hold headers alone.
packages=(libfmt-dev libfmt9 libpcre2-dev libpcre2-8-0 libgtest-dev libcli11-dev nlohmann-json3-dev)

into=$KVSPLIT_ROOT/build/aarch64-packages
[ -e "$into/complete" ] && exit 0
command -v apt-get >/dev/null || die "this needs Debian's apt-get: elsewhere, put these packages' files under $into and
  make an empty file '$into/complete': ${packages[*]}"

rm -rf "$into"
mkdir -p "$into"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"

# A separate apt state for an arm64 machine: the system's lists and architectures do not change.
cat >"$work/apt.conf" <<END
APT::Architecture "arm64";
APT::Architectures {"arm64";};
APT::Sandbox::User "$(id -un)";
Acquire::Languages "none";
Dir::State::lists "$work/lists";
Dir::State::status "/dev/null";
Dir::Cache "$work/cache";
END
export APT_CONFIG=$work/apt.conf
say "Downloading arm64 packages: ${packages[*]}"
apt-get update -q >&2 || say "apt-get update failed in part; trying with the lists that came"
(cd "$work" && apt-get download -q "${packages[@]}" >&2) || die "apt-get could not download: ${packages[*]}"
for file in "$work"/*.deb; do dpkg-deb -x "$file" "$into"; done
touch "$into/complete"
