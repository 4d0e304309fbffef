#!/bin/sh
# Runs in the build stage of postgres-custom.
#
#   initialise.sh collect DIR      the server and what it reads, into DIR (as root)
#   initialise.sh initialise DIR   a new data directory (as postgres)
set -eu

here=$(cd "$(dirname "$0")" && pwd)

collect() {
  image=$1
  # pg_config knows every layout: /usr/local in the Alpine image, /usr/lib/postgresql/17 in Debian's.
  server=$(readlink -f "$(pg_config --bindir)/postgres")
  libraries=$(pg_config --pkglibdir)
  share=$(pg_config --sharedir)
  sh "$here/builder.sh" collect "$image" "$server" "$libraries" "$share"
  rm -rf "$image$libraries"/bitcode "$image$libraries"/llvmjit* "$image$libraries"/pgxs "${image:?}$share"/man
  mkdir -p "$image/usr/local/bin"
  [ -e "$image/usr/local/bin/postgres" ] || ln -s "$server" "$image/usr/local/bin/postgres"
}

initialise() {
  data=$1
  secret=/run/secrets/postgres_password
  password=$(mktemp)
  if [ -s "$secret" ]; then
    cat "$secret" >"$password"
  else
    # initdb wants one; it is taken away below.
    od -An -tx1 -N16 /dev/urandom | tr -d ' \n' >"$password"
  fi
  # The builtin locale does not depend on the base image's C library, so that the base may change.
  initdb --pgdata "$data" --username postgres --pwfile "$password" --auth scram-sha-256 --encoding UTF8 \
    --locale=C --locale-provider=builtin --builtin-locale=C.UTF-8 --no-instructions
  rm "$password"
  if [ ! -s "$secret" ]; then
    echo 'ALTER ROLE postgres PASSWORD NULL' | postgres --single -D "$data" postgres
  fi
  cat "$here/postgresql.conf" >>"$data/postgresql.conf"
  cat "$here/pg_hba.conf" >"$data/pg_hba.conf"
}

"$@"
