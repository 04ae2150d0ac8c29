#!/usr/bin/env bash
# Cross-compiles KVSplit for 64-bit Arm and tests its kernels under qemu-user, on a processor with I8MM and on one
# without. Speed under qemu says nothing about speed on Arm.
#
#   ./scripts/test_aarch64.sh            the kernels' and codecs' tests, then the program on a model beside this
#                                        processor's own build: both have to write the same tokens
#   ./scripts/test_aarch64.sh --short    compiled in a hurry, and the tests that take seconds
#   ./scripts/test_aarch64.sh --help
#
# Installs what is missing (see scripts/lib.sh): Debian's cross compiler and qemu. Safe to run again; asks for
# nothing. The exit status is 0 only if everything passed.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

short=no
case "${1:-}" in
    "") ;;
    --short) short=yes ;;
    -h | --help) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    *) die "unknown option '$1'; see test_aarch64.sh --help" ;;
esac

need_packages "${BUILD_NEEDS[@]}" "${AARCH64_NEEDS[@]}"
"$KVSPLIT_ROOT/scripts/aarch64_packages.sh"

# run_tests PRESET CTEST-ARGUMENT...: on every processor, so that each set of kernels is the one chosen somewhere.
failed=()
run_tests() {
    local cpu preset=$1
    shift
    for cpu in max neoverse-n1; do
        say "Testing preset '$preset' on qemu's $cpu"
        (cd "$KVSPLIT_ROOT" && QEMU_CPU=$cpu ctest --preset "$preset" --no-tests=error -j "$(nproc)" "$@") ||
            failed+=("$preset on $cpu")
    done
}

kernel_tests=(simd_test elementwise_test matmul_test experts_test seal_test attention_test)
if [ "$short" = yes ]; then
    build aarch64-short "${kernel_tests[@]}"
    run_tests aarch64-short
else
    build aarch64 "${kernel_tests[@]}" codec_test base_test kvsplit_cli
    run_tests aarch64
fi
