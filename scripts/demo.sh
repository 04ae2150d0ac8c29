#!/usr/bin/env bash
# Builds KVSplit, gets a small model, and shows what a split cache saves and costs.
#
#   ./scripts/demo.sh
#
# The model answers a question about a page of "War and Peace", once on a 16-bit cache and once on k8v4 (8-bit
# keys, 4-bit values). A table then compares the two. Safe to run again; asks for nothing. On a machine without a
# compiler it installs 0.8 GB of packages; the build takes a few minutes and 35 MB.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case "${1:-}" in
    "") ;;
    -h | --help) print_help "$0"; exit 0 ;;
    *) unknown_option "$0" "$1" ;;
esac

need_packages "${BUILD_NEEDS[@]}" "${MODEL_NEEDS[@]}"
"$KVSPLIT_ROOT/scripts/setup.sh"
model=$("$KVSPLIT_ROOT/scripts/models.sh" smollm2)
kvsplit=$KVSPLIT_ROOT/build/release/kvsplit
book=$KVSPLIT_ROOT/src/lab/data/war_and_peace.txt

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# A page is sealed (turned into codes) when it is 64 to 127 tokens old, so the prompt must be longer than that for
# the cache to matter: the first 60 lines of the book are about 900 tokens.
passage=$(head -n 60 "$book")
question="In which month and year does the story take place?"
prompt="$passage

$question"

for kv in f16 k8v4; do
    say "Asking the model, cache $kv"
    "$kvsplit" run -m "$model" -p "$prompt" -n 64 --stop . --kv "$kv" --json >"$out/run_$kv.json"
done
"$kvsplit" info "$model" --json >"$out/info.json"
say "Measuring perplexity on $(basename "$book"), both caches in one pass"
"$kvsplit" perplexity -m "$model" -f "$book" -c 2048 --chunks 4 --kv f16,k8v4 --json >"$out/perplexity.json"

python3 -X utf8 "$KVSPLIT_ROOT/scripts/demo_table.py" "$question" "$out"
cat <<END

Next, with this model or with any GGUF file:

  kvsplit=$(printf %q "$kvsplit")
  model=$(printf %q "$model")
  "\$kvsplit" chat -m "\$model"               # a conversation; Ctrl-D leaves
  "\$kvsplit" compare -m "\$model" --quick    # memory, quality and speed of each precision, as a page with charts
  "\$kvsplit" plan -m "\$model" --memory 4G   # the longest context that fits
  "\$kvsplit" --help                          # docs/cli.md explains every command
END
