# shellcheck shell=bash
# What the scripts share: messages, and installing Debian packages after saying so.

say() { printf '%s\n' "$*" >&2; }

# fail MESSAGE HELP: something is missing on this machine. Exit 4, as everywhere in this project.
fail() {
  say "error: $1"
  say "help: $2"
  exit 4
}

can_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

# need PROGRAM:PACKAGE... : makes programs present. Root on Debian or Ubuntu installs what is missing.
need() {
  local pair missing=()
  for pair in "$@"; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
  done
  [ "${#missing[@]}" -gt 0 ] || return 0
  can_install || fail "missing on this machine: ${missing[*]}" \
    "install them (Debian, Ubuntu: apt-get install ${missing[*]}) and run this again"
  say "installing Debian packages: ${missing[*]}"
  local log
  log=$(mktemp)
  if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } \
    >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    fail "apt-get could not install ${missing[*]}" "mend what it says above and run this again"
  fi
  rm -f "$log"
}

need_rust() {
  command -v cargo >/dev/null || fail "no Rust toolchain is here" \
    "install Rust 1.89 or newer, with rustup or from your company's mirror; Debian 12's own rustc is too old"
  need cc:gcc
  [ -n "$(find /usr/lib /usr/lib64 -name libc.a -print -quit 2>/dev/null)" ] || need libc.a:libc6-dev
}

# Where Cargo builds, as a whole path: CARGO_TARGET_DIR, Cargo's configuration, or `target` here.
target_directory() {
  cargo metadata --locked --offline --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/'
}
