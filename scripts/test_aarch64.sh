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

failed=()
cpus=(max neoverse-n1)  # with I8MM and without

# run_tests PRESET CTEST-ARGUMENT...: on every processor, so that each set of kernels is the best one somewhere.
run_tests() {
    local cpu preset=$1
    shift
    for cpu in "${cpus[@]}"; do
        say "Testing preset '$preset' on qemu's $cpu"
        (cd "$KVSPLIT_ROOT" && QEMU_CPU=$cpu ctest --preset "$preset" --no-tests=error -j "$(nproc)" "$@") ||
            failed+=("$preset on $cpu")
    done
}

kernel_tests=(simd_test elementwise_test matmul_test experts_test seal_test attention_test)
if [ "$short" = yes ]; then
    build aarch64-short "${kernel_tests[@]}"
    run_tests aarch64-short -E 'FunctionsMeetTheirBounds'
else
    build aarch64 "${kernel_tests[@]}" codec_test base_test kvsplit_cli
    run_tests aarch64 -L unit

    # A prompt long enough for pages to be sealed: the codes, too, are then Arm's own.
    build release kvsplit_cli
    prompt=$(head -n 20 "$KVSPLIT_ROOT/scripts/data/war_and_peace.txt")
    model=${KVSPLIT_SMOLLM2:-$("$KVSPLIT_ROOT/scripts/models.sh" smollm2)}
    generate=(run -m "$model" -p "$prompt" -n 8 --kv k8v4 --temp 0)
    want=$("$KVSPLIT_ROOT/build/release/kvsplit" "${generate[@]}")
    for cpu in "${cpus[@]}"; do
        say "Generating a few tokens on qemu's $cpu"
        have=$(qemu-aarch64 -cpu "$cpu" -L /usr/aarch64-linux-gnu "$KVSPLIT_ROOT/build/aarch64/kvsplit" "${generate[@]}")
        [ "$have" = "$want" ] || failed+=("generation on $cpu")
    done
fi

if [ ${#failed[@]} -gt 0 ]; then
    die "failed: ${failed[*]}"
fi
