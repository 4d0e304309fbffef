# shellcheck shell=bash
# What the scripts share: messages, and installing Debian packages after saying so.

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# fail CODE MESSAGE HELP: 1 it failed, 2 the command line is wrong, 4 this machine lacks something.
fail() {
  printf 'error: %s\nhelp: %s\n' "$2" "$3" >&2
  exit "$1"
}

seconds_since() {
  local tenths=$(((${EPOCHREALTIME/./} - ${1/./}) / 100000))
  echo "$((tenths / 10)).$((tenths % 10))"
}

# show_help SCRIPT: the comment at its head.
show_help() { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$1"; }

# is_here THING: a program, a file by its whole path, or a static library such as libc.a.
is_here() {
  case $1 in
    /*) [[ -e $1 ]] ;;
    lib*.a) [[ $(cc -print-file-name="$1" 2>/dev/null) == /* ]] ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

# need THING:PACKAGE... : makes things present. Root on Debian or Ubuntu installs what is missing, and says so first;
# anybody else is told what to install.
need() {
  local pair packages=() log install=(apt-get install -y --no-install-recommends)
  for pair; do
    is_here "${pair%:*}" || packages+=("${pair##*:}")
  done
  ((${#packages[@]})) || return 0
  if ((EUID != 0)) || ! grep -qsE '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release; then
    fail 4 "missing on this machine: ${packages[*]}" \
      "install them (Debian, Ubuntu: apt-get install ${packages[*]}) and run this again"
  fi
  say "installing Debian packages: ${packages[*]}"
  export DEBIAN_FRONTEND=noninteractive
  log=$("${install[@]}" "${packages[@]}" 2>&1 </dev/null) ||
    log=$({ apt-get update && "${install[@]}" "${packages[@]}"; } 2>&1 </dev/null) ||
    fail 4 "apt-get could not install ${packages[*]}" "mend what it says and run this again: $(tail -n 20 <<<"$log")"
}

need_rust() {
  is_here cargo || fail 4 "no Rust toolchain is here" \
    "install Rust 1.89 or newer, with rustup or from your company's mirror; Debian 12's own rustc is too old"
  need cc:gcc libc.a:libc6-dev
}

# Where Cargo builds, as a whole path: CARGO_TARGET_DIR, Cargo's configuration, or `target` here.
target_directory() {
  cargo metadata --locked --offline --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/'
}
