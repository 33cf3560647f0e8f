#!/bin/sh
# Makes ./secrets for docker-compose.yml: random passwords, the URLs that hold them, and the secret key.
# What is there already stays as it is.
#
# The directory is closed to everybody but its owner. The files in it are readable, because Compose hands each of them
# to its container as it is, and there other users than the owner must read it.
set -eu
cd "$(dirname "$0")/.."
umask 077
mkdir -p secrets
chmod 700 secrets

random() { head -c 32 /dev/urandom | od -An -vtx1 | tr -d ' \n'; }

keep() { # keep NAME CONTENT
    [ -e "secrets/$1" ] && return
    printf '%s' "$2" >"secrets/$1.new"
    chmod 444 "secrets/$1.new"
    mv "secrets/$1.new" "secrets/$1"
    echo "made secrets/$1"
}

keep database_password "$(random)"
keep broker_password "$(random)"
keep secret_key "$(random)"
keep database_url "postgresql+psycopg://postwagen:$(cat secrets/database_password)@postgres/postwagen"
keep broker_url "redis://:$(cat secrets/broker_password)@redis:6379/0"
