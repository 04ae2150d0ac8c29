#!/usr/bin/env bash
# Cross-compiles KVSplit for 64-bit Arm and tests its kernels under qemu-user, on a processor with I8MM and on one
# without. Speed under qemu says nothing about speed on Arm.
#
#   ./scripts/test_aarch64.sh            the kernels' and codecs' tests, then the program on a model beside this
#                                        processor's own build: both have to write the same tokens
#   ./scripts/test_aarch64.sh --short    compiled in a hurry, without the slowest tests, most head sizes and what both
#                                        processors share
#   ./scripts/test_aarch64.sh [--short] --beside PROGRAM     what has to write the same tokens; else it is built
#   ./scripts/test_aarch64.sh --help
#
# Installs what is missing (see scripts/lib.sh): Debian's cross compiler and qemu. Safe to run again; asks for
# nothing. The exit status is 0 only if everything passed.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

short=no beside=
while [ $# -gt 0 ]; do
    case $1 in
        --short) short=yes ;;
        --beside) beside=${2:-}; [ -x "$beside" ] || die "--beside wants a program, not '$beside'"; shift ;;
        -h | --help) print_help "$0"; exit 0 ;;
        *) unknown_option "$0" "$1" ;;
    esac
    shift
done

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
    preset=aarch64-short
    build $preset "${kernel_tests[@]}" kvsplit_cli
    slow='FunctionsMeetTheirBounds|SplitsOfTheWork|ExactMeetsDoublePrecision|LatentsAgreeWithDouble|_d(16|32|48|80|96|112|128|160|256|576)'
    # The sets differ in one product, so i8mm only has to equal neon.
    run_tests $preset max "/(portable|neon)|AgreesWithDouble|EqualsReference|$slow"
    run_tests $preset neoverse-n1 "/(portable|i8mm)|$slow"
    cpus=(neoverse-n1)
else
    preset=aarch64
    build $preset "${kernel_tests[@]}" codec_test base_test kvsplit_cli
    run_tests $preset max '^$'
    run_tests $preset neoverse-n1 '/i8mm'
fi

# The same tokens on both kinds of processor, from a prompt long enough for a page to be sealed: its codes, too, are then
# Arm's own.
if [ -z "$beside" ]; then
    build release kvsplit_cli
    beside=$KVSPLIT_ROOT/build/release/kvsplit
fi
prompt=$(head -n 7 "$KVSPLIT_ROOT/src/lab/data/war_and_peace.txt")
model=${KVSPLIT_SMOLLM2:-$("$KVSPLIT_ROOT/scripts/models.sh" smollm2)}
generate=(run -m "$model" -p "$prompt" -n 8 --kv k8v4 --temp 0)
want=$("$beside" "${generate[@]}")
for cpu in "${cpus[@]}"; do
    say "Generating a few tokens on qemu's $cpu"
    have=$(qemu-aarch64 -cpu "$cpu" -L /usr/aarch64-linux-gnu "$KVSPLIT_ROOT/build/$preset/kvsplit" "${generate[@]}")
    [ "$have" = "$want" ] || failed+=("generation on $cpu")
done

if [ ${#failed[@]} -gt 0 ]; then
    die "failed: ${failed[*]}"
fi
