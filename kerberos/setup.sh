#!/usr/bin/env bash
# The platform's Kerberos step: shows that a container can use the shared ticket.
#
#   kerberos/setup.sh [--print-config]
#
# Makes the network and the volume of the platform where they are missing, and runs the Kerberos
# test in a container. Nothing that it makes is removed, except the containers. With --print-config
# it prints the mode and the image, and does nothing else.
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

# The process environment, before this script has variables of its own.
declare -A environment=()
while IFS= read -r; do environment[$REPLY]=${!REPLY}; done < <(compgen -e)

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
readonly repo
readonly default_image=python:3.11-alpine
readonly settings=(IMAGE_MODE IMAGE_PYTHON IMAGE_KERBEROS_TEST IMAGE_POSTGRES IMAGE_OPENMETADATA_SERVER
  IMAGE_OPENSEARCH CONTAINER_CLI KERBEROS_INSTALL KERBEROS_CONFIG KERBEROS_TEST_SERVICE KERBEROS_NETWORK KERBEROS_VOLUME)
readonly name=platform-kerberos-test-$$-$RANDOM

cli='' # docker or podman
run='' # the process id of what waits for the container
# What the env file says, which variables its values name, and names in it that are only like the platform's.
declare -A from_file=() used=() strangers=()

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

# `shellproof config` reads the same files and values, and refuses the same; tests/env_files.rs compares the two. Only
# CONTAINER_CLI and the KERBEROS_ settings are this script's own, and checked by it alone.

# unreadable PLACE EXPECTED HELP. Values are not shown in messages: an env file holds passwords.
unreadable() { fail 2 "$1 cannot be read" "$2" "something else" "$3"; }

# expand PLACE TEXT [DEPTH]: fills in variables as compose does, into $expanded.
expand() {
  local place=$1 rest=$2 depth=${3-0} out='' inner='' piece bare open=0 value='' is_set=''
  local help='write $$ for a dollar sign, or use single quotes'
  ((depth <= 16)) || unreadable "$place" "defaults that are not nested so deep" "$help"
  while [[ $rest == *\$* ]]; do
    out+=${rest%%\$*} rest=${rest#*\$} inner='' open=0
    case $rest in
      \$*)
        out+=\$ rest=${rest:1}
        continue
        ;;
      \{*)
        rest=${rest:1}
        # The brace that closes: a default may hold variables with braces of their own.
        while :; do
          [[ $rest == *\}* ]] || unreadable "$place" "a closing brace" "$help"
          piece=${rest%%\}*} rest=${rest#*\}} bare=${piece//\$\{/}
          open=$((open + (${#piece} - ${#bare}) / 2)) inner+=$piece
          ((open > 0)) || break
          open=$((open - 1)) inner+=\}
        done
        [[ $inner =~ ^([A-Za-z_][A-Za-z0-9_]*)(:?)([-+?]?)(.*)$ ]] || unreadable "$place" "\${NAME} or \${NAME:-DEFAULT}" "$help"
        ;;
      *) [[ $rest =~ ^([A-Za-z_][A-Za-z0-9_]*)(.*)$ ]] || unreadable "$place" "\$NAME or \${NAME}" "$help" ;;
    esac
    local variable=${BASH_REMATCH[1]} colon='' operator='' argument=''
    if [[ -n $inner ]]; then
      colon=${BASH_REMATCH[2]} operator=${BASH_REMATCH[3]} argument=${BASH_REMATCH[4]}
    else
      rest=${BASH_REMATCH[2]}
    fi
    used[$variable]=1
    value=${environment[$variable]-${from_file[$variable]-}}
    is_set=${environment[$variable]+1}${from_file[$variable]+1}
    [[ -z $colon || -n $value ]] || is_set=''
    case $operator:${is_set:+set} in
      :*)
        [[ -z $colon$argument ]] || unreadable "$place" "\${NAME} or \${NAME:-DEFAULT}" "$help"
        out+=$value
        ;;
      -:set | \?:set) out+=$value ;;
      -: | +:set) expand "$place" "$argument" $((depth + 1)) && out+=$expanded ;;
      +:) ;;
      \?:) unreadable "$place" "\`$variable\` to be set" "set it in the environment or above this line" ;;
    esac
    ((${#out} <= 65536)) || unreadable "$place" "a value of at most 65536 bytes" "make it shorter"
  done
  expanded=$out$rest
  ((${#expanded} <= 65536)) || unreadable "$place" "a value of at most 65536 bytes" "make it shorter"
}

# unescape TEXT: the escapes of a double-quoted value, into $unescaped. `\$` becomes `$$`, a dollar sign later.
unescape() {
  local rest=$1 out='' c
  while [[ $rest == *\\* ]]; do
    out+=${rest%%\\*} rest=${rest#*\\}
    c=${rest:0:1} rest=${rest:1}
    case $c in
      n) out+=$'\n' ;;
      r) out+=$'\r' ;;
      t) out+=$'\t' ;;
      a) out+=$'\a' ;;
      b) out+=$'\b' ;;
      f) out+=$'\f' ;;
      v) out+=$'\v' ;;
      \$) out+=\$\$ ;;
      \" | \\) out+=$c ;;
      *) out+=\\$c ;;
    esac
  done
  unescaped=$out$rest
}

# is_image TEXT: an image reference by the grammar that the engines share, or a test image's `fixture:NAME`.
is_image() {
  local image=$1 last first groups
  local part='[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*' label='[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?' group='[0-9A-Fa-f]{1,4}'
  if [[ $image == fixture:* ]]; then
    [[ $image =~ ^fixture:[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$ ]]
    return
  fi
  [[ ! $image =~ ^[0-9a-f]{64}$ ]] || return 1 # an image ID
  if [[ $image == *@* ]]; then
    [[ ${image#*@} =~ ^(sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})$ ]] || return 1
    image=${image%%@*}
  fi
  last=${image##*/}
  if [[ $last == *:* ]]; then
    [[ ${last#*:} =~ ^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$ ]] || return 1
    image=${image%":${last#*:}"}
  fi
  first=${image%%/*}
  if [[ $image == */* && ($first == *[.:]* || $first == localhost) ]]; then
    image=${image#*/}
    if [[ $first == *:* && $first != *"]" ]]; then
      [[ ${first##*:} =~ ^0*([1-9][0-9]{0,4})$ ]] || return 1
      ((BASH_REMATCH[1] <= 65535)) || return 1
      first=${first%:*}
    fi
    if [[ $first == "["*"]" ]]; then
      first=${first:1:${#first}-2}
      if [[ ! $first =~ ^($group:){7}$group$ ]]; then
        [[ $first =~ ^(($group:)*$group)?::(($group:)*$group)?$ ]] || return 1
        read -ra groups <<<"${first//:/ }" # `::` stands for one of eight groups at least
        ((${#groups[@]} <= 7)) || return 1
      fi
    else
      [[ $first =~ ^$label(\.$label)*$ ]] || return 1
    fi
  fi
  [[ $image =~ ^$part(/$part)*$ ]] && ((${#image} <= 255))
}

# check_setting NAME VALUE PLACE [SHOWN]
check_setting() {
  local LC_ALL=C
  [[ -n $2 ]] || fail 2 "\`$1\` is empty" "a value" "none at $3" "remove it to use the default"
  case $1 in
    IMAGE_MODE)
      [[ $2 == layered || $2 == prebuilt ]] ||
        fail 2 "no image mode${4:+ \`$4\`}" "layered or prebuilt" "another word at $3" "correct IMAGE_MODE"
      ;;
    IMAGE_*)
      is_image "$2" || fail 2 "\`$1\` names no image" "[REGISTRY/]REPOSITORY[:TAG][@DIGEST], in lower case" \
        "another text at $3" "\`shellproof config\` points at it"
      ;;
  esac
}

# read_env_file FILE: into from_file. A value is text, never a command.
read_env_file() {
  # Bytes, whatever the locale: lengths and classes are those of ASCII.
  local LC_ALL=C
  local file=$1 line rest key value place number=0 size=0 pattern after more key_upper
  local multibyte=$'([\xc2-\xdf]|\xe0[\xa0-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]|\xed[\x80-\x9f]|(\xf0[\x90-\xbf]|[\xf1-\xf3][\x80-\xbf]|\xf4[\x80-\x8f])[\x80-\xbf])[\x80-\xbf]'
  ! IFS= read -r -d '' line <"$file" || unreadable "$file" "text" "a NUL byte is in it: is it an env file?"
  # shellcheck disable=SC2094 # messages say the file's name, and nothing writes it
  while IFS= read -r line || [[ -n $line ]]; do
    number=$((number + 1)) size=$((size + ${#line} + 1)) place="$file:$number"
    ((number > 1)) || line=${line#$'\xef\xbb\xbf'}
    [[ ! $line =~ [$'\x80'-$'\xff'] || $line =~ ^([$'\x01'-$'\x7f']|$multibyte)*$ ]] || unreadable "$place" "UTF-8" "save the file as UTF-8"
    ((size <= 1048577)) || unreadable "$file" "at most 1048576 bytes" "is it an env file?"
    [[ ! $line =~ ^[[:space:]]*(#|$) ]] || continue
    [[ $line =~ ^[[:space:]]*(export[[:space:]]+)?(.*)$ ]]
    rest=${BASH_REMATCH[2]} key=${BASH_REMATCH[2]%%[=:]*}
    key=${key%"${key##*[![:space:]]}"}
    # A name has letters, digits, `_ . - [ ]`, and anything that is no ASCII.
    more=${key//[][_.-]/}
    [[ -n $key && $more != *[[:punct:][:space:][:cntrl:]]* && ${#key} -le 255 ]] ||
      unreadable "$place" "NAME=value" "\`shellproof config --env-file $file\` points at it"
    [[ $rest == *[=:]* ]] || continue # a name alone is taken from the environment, which wins anyway
    value=${rest#*[=:]}
    value=${value#"${value%%[![:space:]]*}"}
    case $value in
      \'* | \"*)
        if [[ $value == \'* ]]; then pattern="^'(([^'\\]|\\\\.)*)'(.*)\$"; else pattern='^"(([^"\]|\\.)*)"(.*)$'; fi
        # A certificate or a key may take several lines.
        while [[ ! $value =~ $pattern ]]; do
          IFS= read -r more || [[ -n $more ]] || unreadable "$place" "a closing quote" "close it"
          number=$((number + 1)) size=$((size + ${#more} + 1))
          value+=$'\n'$more
        done
        after=${BASH_REMATCH[3]} more=${value:0:1} value=${BASH_REMATCH[1]}
        [[ $after =~ ^[[:space:]]*(#|$) ]] || unreadable "$place" "nothing but a comment after the closing quote" "is a quote missing?"
        [[ $key != IMAGE_* || $value != *$'\n'* ]] || unreadable "$place" "a value on one line" "is the closing quote missing?"
        if [[ $more == \' ]]; then
          value=${value//\\\'/\'}
        else
          unescape "$value"
          expand "$place" "$unescaped"
          value=$expanded
        fi
        ;;
      *)
        [[ $value != '#'* ]] || value=''
        value=${value%%' #'*}
        value=${value%"${value##*[![:space:]]}"}
        expand "$place" "$value"
        value=$expanded
        ;;
    esac
    key_upper=${key^^}
    if [[ ${key_upper//-/_} == IMAGE_* || " ${settings[*]} " == *" $key "* ]]; then
      [[ -z ${from_file[$key]+set} ]] || fail 2 "\`$key\` is set twice" "one line" "another at $place" "remove one of the two"
      [[ " ${settings[*]} " == *" $key "* ]] || strangers[$key]=$place
    fi
    [[ " ${settings[*]} " != *" $key "* ]] || check_setting "$key" "$value" "$place"
    from_file[$key]=$value
  done <"$file"
  # What other lines refer to is a helper, such as IMAGE_REGISTRY.
  for key in "${!strangers[@]}"; do
    [[ -n ${used[$key]+set} ]] || fail 2 "unknown variable \`$key\`" "a variable of the platform" "this one at ${strangers[$key]}" \
      "the platform reads ${settings[*]:0:6}"
  done
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
setting() { printf '%s' "${environment[$1]-${from_file[$1]-${2-}}}"; }

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
  (($# == 0)) || [[ $* == --print-config ]] ||
    fail 2 "setup.sh takes no arguments" "settings, or --print-config" "\`$*\`" "see the beginning of $0"
  load_env_file
  for line in "${settings[@]}"; do
    [[ -z ${environment[$line]+set} ]] || check_setting "$line" "${environment[$line]}" "the environment" "${environment[$line]}"
  done
  mode=$(setting IMAGE_MODE layered) || exit
  network=$(setting KERBEROS_NETWORK platform_network) || exit
  volume=$(setting KERBEROS_VOLUME platform_kerberos_cache) || exit
  service=$(setting KERBEROS_TEST_SERVICE) || exit
  config=$(setting KERBEROS_CONFIG) || exit
  case $mode in
    layered) image=$(setting IMAGE_PYTHON "$default_image") || exit ;;
    prebuilt) image=$(setting IMAGE_KERBEROS_TEST myorg/kerberos-test:latest) || exit ;;
  esac
  if [[ $* == --print-config ]]; then
    printf 'mode %s\nimage %s\n' "$mode" "$image"
    exit 0
  fi
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
