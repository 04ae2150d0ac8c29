#!/usr/bin/env bash
# Tries the scripts on a machine that has nothing: installs Debian 12's smallest system into a folder, clones this
# repository into it, and runs demo.sh and test.sh there. Says what each took, in time and disk space.
#
#   ./scripts/fresh_root.sh FOLDER                     demo.sh, then test.sh, as root
#   ./scripts/fresh_root.sh FOLDER --run COMMAND       this instead, in the clone; may be given more than once
#   ./scripts/fresh_root.sh FOLDER --user              as a user without sudo; root installs the packages before
#   ./scripts/fresh_root.sh --help
#
#   --mirror URL    where Debian's packages come from; default: the first Debian mirror in /etc/apt, else deb.debian.org
#   --cache DIR     becomes ~/.cache in the root: models and compiled objects in DIR serve the next root too
#
# Needs root, and the package debootstrap. The folder is made, or used again when an earlier run made it; what is
# committed is what is cloned. The host's proxies, certificates and package indexes hold in the root as well: variables
# such as https_proxy, SSL_CERT_FILE and PIP_INDEX_URL, the files of certificates that they name, pip's configuration,
# and the proxies of apt's. The rest of the environment does not. Remove the folder when done: rm -r FOLDER.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

folder= mirror= cache= as_user=no commands=()
while [ $# -gt 0 ]; do
    case $1 in
        --run | --mirror | --cache) [ $# -ge 2 ] || usage_error "$1 needs a value" ;;&
        --run) commands+=("$2"); shift ;;
        --mirror) mirror=$2; shift ;;
        --cache) cache=$2; shift ;;
        --user) as_user=yes ;;
        -h | --help) print_help "$0"; exit 0 ;;
        -*) unknown_option "$0" "$1" ;;
        *) [ -z "$folder" ] || usage_error "one folder, not both '$folder' and '$1'"; folder=$1 ;;
    esac
    shift
done
[ -n "$folder" ] || usage_error "no folder; see fresh_root.sh --help"
[ -z "$cache" ] || [ $as_user = no ] || usage_error "--cache is root's: not with --user"
[ ${#commands[@]} -gt 0 ] || commands=(./scripts/demo.sh ./scripts/test.sh)
[ "$(id -u)" -eq 0 ] || die "this needs root: a root folder is made and entered"
command -v debootstrap >/dev/null || die "debootstrap is missing: apt-get install debootstrap"

# The first mirror of Debian itself in apt's lists, in either of their two forms.
host_mirror() {
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null |
        sed -n -E 's/^(URIs:|deb( \[[^]]*\])?) +([^ ]+).*/\3/p' | grep -E '/debian/?$' | head -n 1 || true
}

if [ ! -e "$folder/.kvsplit-fresh-root" ]; then
    [ ! -e "$folder" ] || [ -z "$(ls -A "$folder")" ] || die "$folder is there and is no root that this script made"
    [ -n "$mirror" ] || mirror=$(host_mirror)
    say "Installing Debian 12 into $folder"
    debootstrap --variant=minbase bookworm "$folder" "${mirror:-http://deb.debian.org/debian}" >&2
    touch "$folder/.kvsplit-fresh-root"
fi
folder=$(cd "$folder" && pwd)

# What the host needs to reach the network.
cp -L /etc/resolv.conf /etc/hosts "$folder/etc/"
[ ! -e /etc/pip.conf ] || cp -L /etc/pip.conf "$folder/etc/"
apt-config dump 2>/dev/null | grep -E '^Acquire::(https?::|Check-)' >"$folder/etc/apt/apt.conf.d/90host" || true
environment=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM="${TERM:-dumb}")
for name in {http,https,ftp,all,no}_proxy {HTTP,HTTPS,FTP,ALL,NO}_PROXY \
    PIP_{INDEX_URL,EXTRA_INDEX_URL,TRUSTED_HOST,PROXY,DEFAULT_TIMEOUT}; do
    [ -z "${!name:-}" ] || environment+=("$name=${!name}")
done
for name in SSL_CERT_FILE CURL_CA_BUNDLE REQUESTS_CA_BUNDLE GIT_SSL_CAINFO PIP_CERT; do
    [ -f "${!name:-}" ] || continue
    cp -L "${!name}" "$folder/etc/host-certificates-$name.pem"
    environment+=("$name=/etc/host-certificates-$name.pem")
done

home=/root account=root
if [ $as_user = yes ]; then
    home=/home/newcomer account=newcomer
    [ -d "$folder$home" ] || chroot "$folder" useradd --create-home --shell /bin/bash newcomer
fi
clone=$home/kvsplit
environment+=(CCACHE_BASEDIR="$clone" CCACHE_NOHASHDIR=1)  # with --cache, objects serve clones in other places too
rm -rf "${folder:?}$clone"
git clone --quiet --no-hardlinks "$KVSPLIT_ROOT" "$folder$clone"
git -C "$folder$clone" remote remove origin
chroot "$folder" chown -R "$account:" "$clone"

# inside ACCOUNT COMMAND: runs it in the clone. Mounts and processes end with it.
inside() {
    unshare --mount --pid --fork --kill-child -- bash -euc '
        folder=$1 home=$2 cache=$3 account=$4; shift 4
        mount -t proc proc "$folder/proc"
        mount --rbind /sys "$folder/sys"
        mount --rbind /dev "$folder/dev"
        if [ -n "$cache" ]; then
            mkdir -p "$cache" "$folder$home/.cache"
            mount --bind "$cache" "$folder$home/.cache"
        fi
        exec chroot --userspec="$account" "$folder" "$@"' \
        inside "$folder" "$home" "$cache" "$1" \
        env -i "${environment[@]}" HOME="$home" USER="$1" bash -c "cd '$clone' && $2" </dev/null
}

used() { du -sm --one-file-system "$folder" | cut -f1; }

if [ $as_user = yes ]; then
    home=/root inside root ". scripts/lib.sh; need_packages \"\${BUILD_NEEDS[@]}\" \"\${MODEL_NEEDS[@]}\" \"\${TEST_NEEDS[@]}\""
fi
failed=no report=("At first: $(used) MB")
for command in "${commands[@]}"; do
    say "In $folder: $command"
    before=$SECONDS status=0
    inside "$account" "$command" || status=$?
    [ $status -eq 0 ] || failed=yes
    report+=("$command: exit status $status, $(((SECONDS - before) / 60)) min $(((SECONDS - before) % 60)) s, then $(used) MB")
done
printf '%s\n' "${report[@]}" >&2
[ $failed = no ]
