#!/usr/bin/env bash
# The platform's Kerberos step: shows that a container can use the shared ticket.
#
#   kerberos/setup.sh
#
# Makes the network and the volume of the platform where they are missing, and runs the Kerberos
# test in a container. Nothing that it makes is removed, except the containers.
#
# layered   (default) installs krb5 into IMAGE_PYTHON and runs kerberos/test_kerberos.py:
#             sh -c "apk add krb5 && python /app/test.py"
# prebuilt  runs IMAGE_KERBEROS_TEST as it is: no command, no shell, no installation
#
# Settings, from the process environment or else from the env file:
#
#   IMAGE_MODE             layered or prebuilt
#   IMAGE_PYTHON           layered mode's image            (default: python:3.11-alpine)
#   IMAGE_KERBEROS_TEST    prebuilt mode's image           (default: myorg/kerberos-test:latest)
#   CONTAINER_CLI          docker or podman, by name or path       (default: the first found)
#   KERBEROS_INSTALL       layered mode's install line     (default: by the image, see below)
#   KERBEROS_CONFIG        your krb5.conf                  (default: the image's)
#   KERBEROS_TEST_SERVICE  the service to get a ticket for (default: the test's)
#   KERBEROS_NETWORK, KERBEROS_VOLUME      other names for platform_network and
#                                          platform_kerberos_cache, for tests
# From the environment alone:
#   ENV_FILE               the env file, read as compose reads it, never run
#                          (default: platform-bootstrap/.env, if it exists)
#
# Beyond the specification's request, in layered mode: the test is mounted read-only at
# /app/test.py, and KRB5CCNAME names the cache. In both modes: the container has a name, so that
# it can be removed when the script is interrupted; KERBEROS_CONFIG is mounted read-only at
# /krb5/krb5.conf, and KRB5_CONFIG names it (only if set); KERBEROS_TEST_SERVICE is passed on
# (only if set); an image that is not there is pulled first, so that a failure has a name.
#
# Another layered image: /usr/lib/os-release is copied out of a container that is made, never
# started, and removed. Debian and Ubuntu install with apt-get, Fedora and Red Hat's UBI with
# microdnf or dnf, and run `python3`; Alpine, and what cannot be told, take the specification's line.
#
# Exit codes, each with a message on standard error:
#     0  the test passed
#     1  the test failed; the message has its own exit code (see kerberos/test_kerberos.py)
#     2  a setting, the env file or the command line is wrong
#     3  there is no ticket in the shared cache
#     4  no container CLI, or its engine does not answer or refuses
#     5  the image is not there and cannot be pulled
#     6  the image cannot run this: no shell (layered), no program to start (prebuilt)
#     7  the packages could not be installed, or the test not be started (layered)
#   130, 143  interrupted; the container is removed
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
readonly repo
readonly default_image=python:3.11-alpine
readonly settings=(IMAGE_MODE IMAGE_PYTHON IMAGE_KERBEROS_TEST CONTAINER_CLI KERBEROS_INSTALL
  KERBEROS_CONFIG KERBEROS_TEST_SERVICE KERBEROS_NETWORK KERBEROS_VOLUME)
readonly name=platform-kerberos-test-$$-$RANDOM

cli='' # docker or podman
run='' # the process id of what waits for the container
declare -A from_file=()

# fail CODE WHAT EXPECTED ACTUAL HELP
fail() {
  {
    echo "error: $2"
    echo "  expected: $3"
    echo "  actual:   $4"
    echo "  = help: $5"
  } >&2
  exit "$1"
}

# --- settings -----------------------------------------------------------------------------

# expand PLACE TEXT: fills in `$NAME`, `${NAME}`, `${NAME:-DEFAULT}`, `${NAME-DEFAULT}` and `$$`.
# Values are not shown in messages: an env file holds passwords.
expand() {
  local place=$1 rest=$2 out='' variable default value
  while [[ $rest == *\$* ]]; do
    out+=${rest%%\$*}
    rest=\$${rest#*\$}
    variable='' default=''
    if [[ $rest == \$\$* ]]; then
      out+=\$ rest=${rest:2}
      continue
    elif [[ $rest =~ ^\$([A-Za-z_][A-Za-z0-9_]*)(.*)$ || $rest =~ ^\$\{([A-Za-z_][A-Za-z0-9_]*)\}(.*)$ ]]; then
      variable=${BASH_REMATCH[1]} rest=${BASH_REMATCH[2]}
    elif [[ $rest =~ ^\$\{([A-Za-z_][A-Za-z0-9_]*)(:?-)([^{}\$]*)\}(.*)$ ]]; then
      variable=${BASH_REMATCH[1]} default=${BASH_REMATCH[3]} rest=${BASH_REMATCH[4]}
      # `-` alone takes the default only where nothing is set, even to an empty text.
      if [[ ${BASH_REMATCH[2]} == - && (-n ${!variable+set} || -n ${from_file[$variable]+set}) ]]; then default=''; fi
    else
      fail 2 "a variable in $place cannot be read" "\$NAME, \${NAME} or \${NAME:-DEFAULT}" "something else" \
        "write \$\$ for a dollar sign, or use single quotes"
    fi
    if [[ -n ${!variable+set} ]]; then value=${!variable}; else value=${from_file[$variable]-}; fi
    out+=${value:-$default}
  done
  printf '%s' "$out$rest"
}

# read_env_file FILE: into from_file. A value is text, never a command.
read_env_file() {
  local file=$1 line key value place number=0 start more
  while IFS= read -r line || [[ -n $line ]]; do
    number=$((number + 1))
    line=${line%$'\r'}
    [[ ! $line =~ ^[[:space:]]*(#|$) ]] || continue
    if [[ ! $line =~ ^[[:space:]]*(export[[:space:]]+)?([A-Za-z_][A-Za-z0-9_.-]*)[[:space:]]*=[[:space:]]*(.*)$ ]]; then
      fail 2 "$file:$number cannot be read" "NAME=value" "another line" "\`shellproof config --env-file $file\` points at it"
    fi
    key=${BASH_REMATCH[2]} value=${BASH_REMATCH[3]} place="$file:$number" start=$number
    case $value in
      \'* | \"*)
        local quote=${value:0:1}
        value=${value:1}
        # A certificate or a key may take several lines.
        while [[ $value != *"$quote"* ]]; do
          IFS= read -r more || fail 2 "$file:$start cannot be read" "a closing quote" "none" "close it"
          number=$((number + 1))
          value+=$'\n'${more%$'\r'}
        done
        value=${value%%"$quote"*}
        [[ $quote == \' ]] || value=$(expand "$place" "$value" && echo .) || exit
        [[ $quote == \' ]] || value=${value%.}
        ;;
      *)
        [[ $value != '#'* ]] || value=''
        value=${value%%[[:space:]]#*}
        value=${value%"${value##*[![:space:]]}"}
        value=$(expand "$place" "$value") || exit
        ;;
    esac
    if [[ " ${settings[*]} " == *" $key "* ]]; then
      [[ -z ${from_file[$key]+set} ]] || fail 2 "\`$key\` is set twice" "one line" "another at $place" "remove one of the two"
      [[ -n $value ]] || fail 2 "\`$key\` is empty" "a value" "none at $place" "remove the line to use the default"
    fi
    from_file[$key]=$value
  done <"$file"
}

load_env_file() {
  local file=${ENV_FILE-$repo/platform-bootstrap/.env}
  [[ -z ${ENV_FILE+set} && ! -e $file && ! -L $file ]] && return 0
  [[ ! -d $file ]] || fail 2 "\`$file\` cannot be read" "an env file" "a directory" "set ENV_FILE to the file in it"
  [[ -f $file && -r $file ]] || fail 2 "\`$file\` cannot be read" "an env file" "no such file, or no permission" \
    "copy platform-bootstrap/.env.example, or unset ENV_FILE"
  read_env_file "$file"
}

# setting NAME [DEFAULT]: the environment wins over the env file.
setting() {
  if [[ -n ${!1+set} ]]; then
    [[ -n ${!1} ]] || fail 2 "\`$1\` is empty" "a value" "none in the environment" "unset it to use the default"
    printf '%s' "${!1}"
  else
    printf '%s' "${from_file[$1]-${2-}}"
  fi
}

# --- the engine ---------------------------------------------------------------------------

choose_cli() {
  local wanted candidate
  wanted=$(setting CONTAINER_CLI) || exit
  case ${wanted##*/} in
    '')
      for candidate in docker podman; do
        if command -v "$candidate" >/dev/null; then cli=$candidate && break; fi
      done
      [[ -n $cli ]] || fail 4 "no container CLI" "docker or podman in PATH" "neither" "install one, or set CONTAINER_CLI to its path"
      ;;
    docker | podman)
      cli=$wanted
      command -v "$cli" >/dev/null || fail 4 "no container CLI" "\`$cli\`, as CONTAINER_CLI says" "no such program" \
        "install it, or choose the other one"
      ;;
    *) fail 2 "CONTAINER_CLI names no container CLI" "docker or podman, by name or path" "\`$wanted\`" "unset it to use the first found" ;;
  esac
  "$cli" version >/dev/null || fail 4 "the engine of \`$cli\` does not answer" "an answer to \`$cli version\`" \
    "the message above" "start it, or choose another CLI with CONTAINER_CLI"
}

# ensure KIND NAME: makes a network or volume that is missing.
ensure() {
  "$cli" "$1" inspect "$2" >/dev/null 2>&1 && return 0
  # Someone else may have made it in the meantime.
  "$cli" "$1" create "$2" >/dev/null || "$cli" "$1" inspect "$2" >/dev/null 2>&1 ||
    fail 4 "$1 \`$2\` cannot be made" "the engine to make it" "the message above" "make it yourself: \`$cli $1 create $2\`"
}

ensure_image() {
  local image=$1 variable=$2
  "$cli" image inspect "$image" >/dev/null 2>&1 && return 0
  "$cli" pull "$image" >&2 || fail 5 "no image \`$image\`" "it to be there, or to be pulled" "the message above" \
    "check $variable and the registry; \`$cli login\` if it asks for a password"
}

# copy_out IMAGE PATH: a file of an image as a tar archive, out of a container that is never started.
copy_out() {
  local status=0
  "$cli" create --name "$name-look" "$1" sh >/dev/null || return 4
  "$cli" cp "$name-look:$2" - 2>/dev/null || status=1
  "$cli" rm -f "$name-look" >/dev/null
  return "$status"
}

has_file() { copy_out "$@" >/dev/null; }

# lacks_shell IMAGE: known to, that is; an engine that refuses to look says nothing about it.
lacks_shell() {
  local path status
  for path in /bin/sh /usr/bin/sh; do
    status=0
    has_file "$1" "$path" || status=$?
    ((status == 1)) || return 1
  done
}

# command_line IMAGE: what layered mode gives to `sh -c`.
command_line() {
  local image=$1 release='' system='' install
  install=$(setting KERBEROS_INSTALL) || exit
  if [[ $image == "$default_image" ]]; then
    echo "${install:-apk add krb5} && python /app/test.py"
    return
  fi
  # Not /etc/os-release, which is a link to it.
  release=$(copy_out "$image" /usr/lib/os-release | tar -xOf - 2>/dev/null) || release=''
  system=$(sed -nE 's/^(ID|ID_LIKE)=//p' <<<"$release" | tr -d "\"'" | tr '\n' ' ')
  case " $system " in
    *' debian '* | *' ubuntu '*) echo "${install:-apt-get update && apt-get install -y krb5-user} && python3 /app/test.py" ;;
    *' fedora '* | *' rhel '* | *' centos '*)
      local manager=dnf
      ! has_file "$image" /usr/bin/microdnf || manager=microdnf
      echo "${install:-$manager install -y krb5-workstation} && python3 /app/test.py"
      ;;
    *) echo "${install:-apk add krb5} && python /app/test.py" ;;
  esac
}

# Engines and their CLIs do not end a container that ignores signals, as `sh` does when it is the first process.
# shellcheck disable=SC2317  # called by a trap
remove_container() {
  "$cli" rm -f "$name-look" >/dev/null 2>&1 || true
  # The container may only be about to be made.
  while [[ -n $run ]] && kill -0 "$run" 2>/dev/null; do
    "$cli" rm -f "$name" >/dev/null 2>&1 || true
    sleep 0.1
  done
  "$cli" rm -f "$name" >/dev/null 2>&1 || true
}

# shellcheck disable=SC2317  # called by a trap
interrupted() {
  trap '' INT TERM
  [[ -z $cli ]] || remove_container
  echo "error: interrupted; the container is removed" >&2
  exit "$1"
}

# --- the test -----------------------------------------------------------------------------

# The mount options of a file of ours: readable to containers under SELinux too.
file_options() {
  if command -v selinuxenabled >/dev/null && selinuxenabled; then echo ro,z; else echo ro; fi
}

main() {
  local mode network volume service config image line status=0 options=() command=()
  (($# == 0)) || fail 2 "setup.sh takes no arguments" "settings" "\`$*\`" "see the beginning of $0"
  load_env_file
  mode=$(setting IMAGE_MODE layered) || exit
  network=$(setting KERBEROS_NETWORK platform_network) || exit
  volume=$(setting KERBEROS_VOLUME platform_kerberos_cache) || exit
  service=$(setting KERBEROS_TEST_SERVICE) || exit
  config=$(setting KERBEROS_CONFIG) || exit
  case $mode in
    layered) image=$(setting IMAGE_PYTHON "$default_image") || exit ;;
    prebuilt) image=$(setting IMAGE_KERBEROS_TEST myorg/kerberos-test:latest) || exit ;;
    *) fail 2 "no image mode \`$mode\`" "layered or prebuilt" "IMAGE_MODE=$mode" "correct IMAGE_MODE" ;;
  esac
  if [[ -n $config ]]; then
    [[ -f $config ]] || fail 2 "KERBEROS_CONFIG names no file" "a krb5.conf" "\`$config\`" "unset it to use the image's"
    config=$(cd "$(dirname "$config")" && pwd -P)/$(basename "$config")
    options+=(-v "$config:/krb5/krb5.conf:$(file_options)" -e KRB5_CONFIG=/krb5/krb5.conf)
  fi
  [[ -z $service ]] || options+=(-e "KERBEROS_TEST_SERVICE=$service")
  choose_cli
  trap 'interrupted 130' INT
  trap 'interrupted 143' TERM
  ensure network "$network"
  ensure volume "$volume"
  if [[ $mode == layered ]]; then
    ensure_image "$image" IMAGE_PYTHON
    options+=(-v "$repo/kerberos/test_kerberos.py:/app/test.py:$(file_options)" -e KRB5CCNAME=/krb5/cache/krb5cc)
    line=$(command_line "$image") || exit
    command=(sh -c "$line")
  else
    ensure_image "$image" IMAGE_KERBEROS_TEST
  fi

  # In the background, so that an interruption is handled at once.
  "$cli" run --rm --name "$name" \
    --network "$network" \
    -v "$volume:/krb5/cache:ro" \
    ${options[@]+"${options[@]}"} \
    "$image" \
    ${command[@]+"${command[@]}"} &
  run=$!
  wait "$run" || status=$?
  run=''
  trap - INT TERM
  explain "$status" "$mode" "$image" "$volume"
}

# explain STATUS MODE IMAGE VOLUME: ends the script.
explain() {
  local status=$1 mode=$2 image=$3 volume=$4
  # Whatever the code: an image's own entrypoint may have taken `sh -c …` for its arguments.
  [[ $mode == prebuilt || $status == 0 || $status == 125 ]] || ! lacks_shell "$image" ||
    fail 6 "image \`$image\` has no shell" "\`sh\`, with which layered mode installs krb5" "none in the image (exit code $status)" \
      "set IMAGE_MODE=prebuilt and IMAGE_KERBEROS_TEST to an image that has krb5"
  case $status in
    0)
      echo "SUCCESS: the Kerberos test passed in $mode mode with \`$image\`"
      exit 0
      ;;
    11) fail 3 "no Kerberos ticket" "a ticket in the volume \`$volume\`" "none: see the message above" \
      "let the ticket service run \`kinit\` into it, then run this again" ;;
    1[02-7] | 64) failing_test "$status" ;;
    125) fail 4 "the engine refused the container" "it to run \`$image\`" "the message above" \
      "in prebuilt mode, the image needs an exec-form ENTRYPOINT" ;;
  esac
  if [[ $mode == prebuilt ]]; then
    ((status != 126 && status != 127)) || fail 6 "image \`$image\` cannot be started" "the program of its entrypoint in it" \
      "exit code $status" "build it with an exec-form ENTRYPOINT whose program is in the image"
    failing_test "$status"
  fi
  fail 7 "krb5 was not installed, or the test did not start" "the install line to succeed in \`$image\`" "exit code $status: see the messages above" \
    "check the network and the package source, set KERBEROS_INSTALL to the image's own line, or set IMAGE_MODE=prebuilt"
}

failing_test() {
  fail 1 "the Kerberos test failed" "exit code 0" "exit code $1: see its message above" \
    "kerberos/test_kerberos.py explains its exit codes"
}

main "$@"
