#!/bin/sh
# What the build stages of the sample images have in common. Runs in the base image, as root, with
# nothing but a POSIX shell and coreutils or busybox: neither `find` nor `ldd` is in every base.
#
#   builder.sh trust                     add the certificates in ca/ to what this stage trusts
#   builder.sh install TOOL:PACKAGE...   install packages, TOOL being apt, apk or dnf; other tools' are left out
#   builder.sh collect DIR PATH...       copy files and directories into DIR, with what their links lead to
#   builder.sh python DIR                the same for Python and its standard library
#   builder.sh libraries DIR             add the shared libraries that the programs in DIR are linked to
#   builder.sh library DIR NAME          add a library that a program opens by its name, such as libkrb5.so.3
#   builder.sh finish DIR NAME UID       add accounts, certificates, time zones; refuse shells and package managers
#   builder.sh debug DIR                 a shell and its tools, for the target `debug`
set -eu

here=$(cd "$(dirname "$0")" && pwd)
bundle=/etc/ssl/certs/ca-certificates.crt

fail() {
  echo "builder.sh: $1" >&2
  exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# --- inputs -------------------------------------------------------------------------------

trust() {
  if [ ! -s "$bundle" ]; then
    mkdir -p "$(dirname "$bundle")"
    for other in /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem; do
      [ ! -s "$other" ] || { cat "$other" >"$bundle" && break; }
    done
  fi
  for certificate in "$here"/ca/*.crt; do
    [ -e "$certificate" ] || continue
    case $(cat "$certificate") in
      *'PRIVATE KEY'*) fail "$certificate holds a private key" ;;
      *'BEGIN CERTIFICATE'*) ;;
      *) fail "$certificate is not a certificate in PEM form" ;;
    esac
    { echo && cat "$certificate"; } >>"$bundle"
    trust_in_java "$certificate"
  done
}

# Java has a store of its own, and reads of it only what is not encrypted. A file may hold several
# certificates: keytool reads only the first.
# shellcheck disable=SC2094 # only the file's name is used in the loop
trust_in_java() {
  keytool=$(command -v keytool || echo "${JAVA_HOME:-/nowhere}/bin/keytool")
  [ -x "$keytool" ] || return 0
  store=$(dirname "$(dirname "$(readlink -f "$keytool")")")/lib/security/cacerts
  # Often a link, which keytool would replace by a file.
  store=$(readlink -f "$store") || fail "the directory that $store leads to is missing"
  number=0
  part=''
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in
      *'BEGIN CERTIFICATE'*) part=$line ;;
      *'END CERTIFICATE'*)
        number=$((number + 1))
        printf '%s\n%s\n' "$part" "$line" |
          "$keytool" -J-Dkeystore.pkcs12.certProtectionAlgorithm=NONE -J-Dkeystore.pkcs12.macAlgorithm=NONE \
            -importcert -noprompt -storepass changeit -keystore "$store" -alias "$(basename "$1")-$number"
        part=''
        ;;
      *) [ -z "$part" ] || part="$part
$line" ;;
    esac
  done <"$1"
}

# The mirrors are the build arguments APT_MIRROR, APT_SECURITY_MIRROR and APK_MIRROR. What is
# installed is only for this stage, so that the lists may stay.
install_packages() {
  wanted=''
  for entry in "$@"; do
    has "${entry%%:*}" || { [ "${entry%%:*}" = apt ] && has apt-get; } || continue
    wanted="$wanted ${entry#*:}"
  done
  [ -n "$wanted" ] || return 0
  # shellcheck disable=SC2086 # one word for each package
  if has apt-get; then
    use_apt_mirror
    apt-get update -q && apt-get install -q -y --no-install-recommends $wanted
  elif has apk; then
    [ -z "${APK_MIRROR:-}" ] || sed -i "s#^https*://[^/]*/alpine#${APK_MIRROR%/}#" /etc/apk/repositories
    apk add --no-cache $wanted
  else
    dnf install -y $wanted
  fi
}

use_apt_mirror() {
  [ -n "${APT_MIRROR:-}" ] || return 0
  # shellcheck disable=SC1091 # the base image's
  release=$(. /etc/os-release && echo "$VERSION_CODENAME")
  rm -f /etc/apt/sources.list.d/*
  echo "deb $APT_MIRROR $release main" >/etc/apt/sources.list
  [ -z "${APT_SECURITY_MIRROR:-}" ] ||
    echo "deb $APT_SECURITY_MIRROR $release-security main" >>/etc/apt/sources.list
}

# --- collecting ---------------------------------------------------------------------------

# everything PATH: every file, link and directory of a tree.
everything() { du -a "$1" | cut -f 2-; }

# Links like `/lib -> usr/lib` have to be there before anything is copied through them.
links_of_root() {
  for name in bin sbin lib lib32 lib64; do
    if [ -L "/$name" ] && [ ! -e "$1/$name" ]; then
      mkdir -p "$1/usr/$name" "$1"
      ln -sf "$(readlink "/$name")" "$1/$name"
    fi
  done
}

# put DIR PATH: in a subshell, for it calls itself for what a link leads to.
put() (
  dir=$1
  [ -e "$2" ] || [ -L "$2" ] || fail "there is no $2 in this base image"
  parent=$(cd "$(dirname "$2")" && pwd -P)
  path=${parent%/}/$(basename "$2")
  [ ! -e "$dir$path" ] && [ ! -L "$dir$path" ] || exit 0
  mkdir -p "$dir$parent"
  cp -a "$path" "$dir$path"
  if [ -L "$path" ]; then
    follow "$dir" "$path"
  elif [ -d "$path" ]; then
    everything "$path" | while IFS= read -r inner; do
      [ ! -L "$inner" ] || follow "$dir" "$inner"
    done
  fi
)

# A link that leads nowhere here leads nowhere there.
follow() {
  [ -e "$2" ] || return 0
  target=$(readlink "$2")
  case $target in
    /*) put "$1" "$target" ;;
    *) put "$1" "$(dirname "$2")/$target" ;;
  esac
}

collect() {
  dir=$1
  shift
  links_of_root "$dir"
  for path in "$@"; do put "$dir" "$path"; done
}

# Lists what is linked to FILE, as the dynamic loader itself sees it: PATH, or `missing NAME`.
linked_to() {
  for loader in /lib64/ld-linux-*.so.* /lib/ld-linux-*.so.* /lib/ld-musl-*.so.*; do
    [ -x "$loader" ] || continue
    "$loader" --list "$1" 2>/dev/null | while read -r name arrow path _; do
      case "$name $arrow $path" in
        /*) echo "$name" ;;
        *'=> not') echo "missing $name" ;;
        *'=> /'*) echo "$path" ;;
      esac
    done
    return 0
  done
  fail 'there is no dynamic loader in this base image'
}

libraries() {
  dir=$1
  wanted=$(everything "$dir" | while IFS= read -r file; do
    if [ -L "$file" ] || [ ! -f "$file" ]; then continue; fi
    case ${file##*/} in
      *.so | *.so.*) ;;
      *) [ -x "$file" ] || continue ;;
    esac
    linked_to "${file#"$dir"}"
  done | sort -u)
  there=$(everything "$dir")
  for path in $wanted; do
    case $path in
      # Some are found by who opens them, or never used: Java's sound without a sound library.
      missing) ;;
      /*) put "$dir" "$path" ;;
      *) case $there in *"/$path"*) ;; *) echo "builder.sh: note: there is no $path here" ;; esac ;;
    esac
  done
  # Where the loader looks beyond its own directories.
  for path in /etc/ld.so.cache /etc/ld-musl-*.path; do
    [ ! -e "$path" ] || put "$dir" "$path"
  done
}

library() {
  for path in /lib/*-linux-gnu*/"$2" /usr/lib/*-linux-gnu*/"$2" /usr/local/lib/"$2" /usr/lib64/"$2" /usr/lib/"$2" /lib/"$2"; do
    [ -e "$path" ] || continue
    put "$1" "$path"
    return 0
  done
  fail "there is no library $2 in this base image"
}

python() {
  dir=$1
  program=$(readlink -f "$(command -v python3)")
  standard=$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
  collect "$dir" "$program" "$standard"
  # A third of its size: tests, a desktop, an installer, and what only serves to compile against it.
  for name in ensurepip idlelib lib2to3 pydoc_data test tkinter turtledemo site-packages dist-packages; do
    rm -rf "${dir:?}$standard/$name"
  done
  rm -rf "$dir$standard"/config-* "$dir$standard"/lib-dynload/_tkinter* "$dir$standard"/lib-dynload/_test*
  # One name for it, wherever the base has it.
  mkdir -p "$dir/usr/local/bin"
  [ -e "$dir/usr/local/bin/python" ] || ln -s "$program" "$dir/usr/local/bin/python"
}

finish() {
  dir=$1 name=$2 id=$3
  libraries "$dir"
  mkdir -p "$dir/etc/ssl/certs" "$dir/home/$name" "$dir/tmp" "$dir/var/tmp"
  chmod 1777 "$dir/tmp" "$dir/var/tmp"
  chown "$id:$id" "$dir/home/$name"
  printf 'root:x:0:0:root:/root:/sbin/nologin\n%s:x:%s:%s:%s:/home/%s:/sbin/nologin\n' \
    "$name" "$id" "$id" "$name" "$name" >"$dir/etc/passwd"
  printf 'root:x:0:\n%s:x:%s:\n' "$name" "$id" >"$dir/etc/group"
  echo 'hosts: files dns' >"$dir/etc/nsswitch.conf"
  [ ! -s "$bundle" ] || cat "$bundle" >"$dir$bundle"
  for path in /usr/share/zoneinfo /etc/services /etc/protocols /etc/os-release; do
    [ ! -e "$path" ] || put "$dir" "$path"
  done
  rm -rf "$dir/usr/share/zoneinfo/right"
  refuse_shells "$dir"
}

# The names that people would try first. `shellproof` looks at contents too.
refuse_shells() {
  found=$(everything "$1" | while IFS= read -r file; do
    case ${file##*/} in
      sh | ash | bash | dash | ksh | zsh | busybox | toybox | coreutils | apk | apt | apt-get | dpkg | dnf | microdnf | rpm | yum | pip | pip3)
        [ -d "$file" ] || echo "${file#"$1"}"
        ;;
    esac
  done)
  [ -z "$found" ] || fail "this must not be in the image: $found"
}

debug() {
  dir=$1
  links_of_root "$dir"
  for name in sh busybox coreutils cat chmod chown cp df du env grep head id kill ls mkdir mv nc ps pwd rm sed sleep \
    stat tail touch uname; do
    path=$(command -v "$name") || continue
    case $path in /*) put "$dir" "$path" ;; esac
  done
  libraries "$dir"
  # A base has its shell there; what `sh` leads to came with it.
  [ -e "$dir/bin/sh" ] || fail 'there is no /bin/sh in this base image'
}

command=$1
shift
case $command in
  install) install_packages "$@" ;;
  trust | collect | python | libraries | library | finish | debug) "$command" "$@" ;;
  *) fail "no command $command" ;;
esac
