#!/usr/bin/env bash
# Installs what the build needs and builds KVSplit.
#
#   ./scripts/setup.sh        the binary is build/release/kvsplit afterwards
#
# Safe to run again: what is there is neither installed nor built twice. Works as root, or with a sudo that
# asks for no password. Without apt-get it names what is missing and stops.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case "${1:-}" in
    "") ;;
    -h | --help) print_help "$0"; exit 0 ;;
    *) unknown_option "$0" "$1" ;;
esac

need_packages "${BUILD_NEEDS[@]}"
build release
"$KVSPLIT_ROOT/build/release/kvsplit" --version >/dev/null || die "the build made no binary that runs"
say "Ready: $KVSPLIT_ROOT/build/release/kvsplit"
