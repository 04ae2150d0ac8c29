#!/usr/bin/env bash
# Cross-compiles KVSplit for 64-bit Arm and tests its kernels under qemu-user, on a processor with I8MM and on one
# without. Speed under qemu says nothing about speed on Arm.
#
#   ./scripts/test_aarch64.sh            the kernels' and codecs' tests, then the program on a model beside this
#                                        processor's own build: both have to write the same tokens
#   ./scripts/test_aarch64.sh --short    compiled in a hurry, without the slowest tests and what both processors share
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

# run_tests PRESET CPU LEFT-OUT: the unit tests on one processor, but for those whose names match. The build listed the
# tests of all sets; those of a set that the processor lacks would run nothing, and pass. Tests in Python are left out.
run_tests() {
    say "Testing preset '$1' on qemu's $2"
    (cd "$KVSPLIT_ROOT" && QEMU_CPU=$2 ctest --preset "$1" --no-tests=error -L unit -E "^(cli|bench)_|$3" \
        -j "$(nproc)") ||
        failed+=("$1 on $2")
}

kernel_tests=(simd_test elementwise_test matmul_test experts_test seal_test attention_test recurrence_test)
if [ "$short" = yes ]; then
    build aarch64-short "${kernel_tests[@]}"
    slow='FunctionsMeetTheirBounds|SplitsOfTheWork|ExactMeetsDoublePrecision'
    # Sets differ in one product: what neon has shown, i8mm only has to equal.
    run_tests aarch64-short max "/(portable|neon)|AttentionKernels.AgreeWithDouble|EqualsReference|$slow"
    run_tests aarch64-short neoverse-n1 "/(portable|i8mm)|$slow"
else
    build aarch64 "${kernel_tests[@]}" codec_test base_test kvsplit_cli
    run_tests aarch64 max '^$'
    run_tests aarch64 neoverse-n1 '/i8mm'

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
