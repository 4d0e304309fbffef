#!/usr/bin/env bash
# scripts/dockerfiles must find a sample that is not locked down. Breaks a copy of `kerberos-test` in
# one way after the other, and looks at how that ends.
#
#   refusal-test.sh [--engine NAME=unix:///SOCKET]
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SHELLPROOF_DOCKERFILES=$work/dockerfiles
passed=0 failed=0

# found WHAT MESSAGE SED...: how the Dockerfile is changed, and what must be said of it.
found() {
  local what=$1 message=$2 status=0 file=$SHELLPROOF_DOCKERFILES/kerberos-test/Dockerfile
  rm -rf "$SHELLPROOF_DOCKERFILES"
  cp -R "$repo/docs/dockerfiles" "$SHELLPROOF_DOCKERFILES"
  sed -i "${@:3}" "$file"
  if cmp -s "$file" "$repo/docs/dockerfiles/kerberos-test/Dockerfile"; then
    echo "error: \`$what\` changes nothing" >&2
    exit 1
  fi
  "$repo/scripts/dockerfiles" "${options[@]}" kerberos-test >"$work/log" 2>&1 || status=$?
  if ((status == 1)) && grep -qF -- "$message" "$work/log" && [[ $(tail -n 1 "$work/log") == '0 passed, 1 failed' ]]; then
    passed=$((passed + 1))
    echo "passed: $what is found: $(grep -m 1 -oF -- "$message" "$work/log")"
  else
    failed=$((failed + 1))
    echo "failed: $what: wanted exit 1 and \"$message\"; exit $status"
    sed 's/^/    /' "$work/log"
  fi
}

options=("$@")
# shellcheck disable=SC2016 # what is in single quotes is for sed and the Dockerfile
{
  found 'an entrypoint in the shell form' 'has the shell form in Entrypoint: ["/bin/sh", "-c"' \
    's#^ENTRYPOINT .*#ENTRYPOINT /usr/local/bin/python /app/test.py#'
  found 'an entrypoint that is a shell' 'has the shell form in Entrypoint: ["/bin/sh"' \
    's#^ENTRYPOINT .*#ENTRYPOINT ["/bin/sh", "/app/start"]#'
  found 'a command in the shell form' 'has the shell form in Cmd: ["/bin/sh", "-c"' '$a CMD echo hello'
  found 'root' 'runs as `root`' 's#^USER \${UID}.*#USER root#'
  found 'a shell under another name' '`/usr/lib/libharmless.so` is a copy of `dash`' \
    '$a COPY --from=builder /bin/dash /usr/lib/libharmless.so'
  found 'a shell under another name, by shellproof' '`/usr/lib/libharmless.so` is a shell, by its content' \
    '$a COPY --from=builder --chmod=755 /bin/dash /usr/lib/libharmless.so'
  found 'a package manager' '`/usr/bin/dpkg` is a copy of `dpkg`' '$a COPY --from=builder /usr/bin/dpkg /usr/bin/dpkg'
  found 'a debug target without a shell' 'has no shell' '/^COPY --from=tools/d'
  found 'a secret in a layer' 'holds the secret' \
    '/krb5.conf \/image/a RUN --mount=type=secret,id=apt_auth cp /run/secrets/apt_auth /image/app/auth'
}

echo "$passed passed, $failed failed"
((failed == 0))
