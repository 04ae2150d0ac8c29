#!/usr/bin/env bash
# Builds KVSplit with its tests and runs all of them.
#
#   ./scripts/test.sh                the tests, with the two models they use
#   ./scripts/test.sh --sanitize     then the unit tests again under ASan + UBSan, and those of threads under TSan
#   ./scripts/test.sh --aarch64      the kernels and a generation for 64-bit Arm first, emulated (test_aarch64.sh)
#   ./scripts/test.sh --aarch64=short     the same in a form that takes minutes
#   ./scripts/test.sh --help
#
# Installs what is missing (see scripts/lib.sh), and gets models and test data into ~/.cache/kvsplit (430 MB). Safe to
# run again; asks for nothing. Says at the end what was skipped. The exit status is 0 only if every test of every build
# passed.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

sanitize=no aarch64=no
for option in "$@"; do
    case $option in
        --sanitize) sanitize=yes ;;
        --aarch64) aarch64=full ;;
        --aarch64=short) aarch64=short ;;
        -h | --help) print_help "$0"; exit 0 ;;
        *) unknown_option "$0" "$option" ;;
    esac
done

need_packages "${BUILD_NEEDS[@]}" "${MODEL_NEEDS[@]}" "${TEST_NEEDS[@]}"
KVSPLIT_SMOLLM2=${KVSPLIT_SMOLLM2:-$("$KVSPLIT_ROOT/scripts/models.sh" smollm2)}
KVSPLIT_GEMMA3=${KVSPLIT_GEMMA3:-$("$KVSPLIT_ROOT/scripts/models.sh" gemma3)}
export KVSPLIT_SMOLLM2 KVSPLIT_GEMMA3
"$KVSPLIT_ROOT/scripts/test_data.sh" >/dev/null || say "Going on without: tests that need it are skipped"

failed=() rerun=() results=()

# run_tests PRESET "TARGET..." CTEST-ARGUMENT...: builds one preset ("" for all of it) and tests it. Goes on after a
# failure, so that one run shows everything.
run_tests() {
    local preset=$1 targets
    read -ra targets <<<"$2"
    shift 2
    build "$preset" "${targets[@]}" || { failed+=("$preset (build)"); return; }
    say "Testing preset '$preset'"
    # Passing tests say what they skipped, so their output is kept whole.
    results+=("$KVSPLIT_ROOT/build/$preset/tests.xml")
    rm -f "${results[-1]}"
    (cd "$KVSPLIT_ROOT" && ctest --preset "$preset" --no-tests=error --output-junit tests.xml \
        --test-output-size-passed 1000000 "$@") || {
        failed+=("$preset")
        rerun+=("$preset")
    }
}

# The others come first: the last lines on the screen are then the summary of the full run.
if [ $aarch64 != no ]; then
    build check kvsplit_cli || die "preset 'check' does not build"
    options=(--beside "$KVSPLIT_ROOT/build/check/kvsplit")
    [ $aarch64 = short ] && options+=(--short)
    "$KVSPLIT_ROOT/scripts/test_aarch64.sh" "${options[@]}" || failed+=("aarch64")
fi
if [ "$sanitize" = yes ]; then
    run_tests tsan "base_test matmul_test tokenizer_test tiny_session_test" -L unit -R 'Thread|SplitsOfTheWork' -j "$(nproc)"
    # What many models do in batches, with threads and with all codes takes minutes here; the rest goes through the same code.
    # The installed library is a static one here; in `check` it is shared.
    run_tests asan-ubsan "unit_tests" -L "unit|package" \
        -E 'ArchitectureTest.(BatchSplits|CodedCaches)|(Latent|SharedCache)Session.(AllPairs|Threads|Batches)|PrefillEqualsTokenByToken' -j "$(nproc)"
fi
run_tests check "" -j "$(nproc)"

[ ${#results[@]} -eq 0 ] || python3 -X utf8 "$KVSPLIT_ROOT/scripts/skipped_tests.py" "${results[@]}" >&2
if [ ${#failed[@]} -gt 0 ]; then
    for preset in "${rerun[@]}"; do
        say "What failed in preset '$preset', once more"
        (cd "$KVSPLIT_ROOT" && ctest --preset "$preset" --rerun-failed) || true
    done
    die "failed: ${failed[*]}"
fi
