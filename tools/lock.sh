#!/bin/sh
# Renews requirements/*.txt from pyproject.toml. For developers; needs `uv` on the PATH (or UV=/path/to/uv).
#
#   tools/lock.sh              keep what is locked, add and drop what pyproject.toml asks for
#   tools/lock.sh --upgrade    take the newest versions that fit
#
# The locks hold exact versions and hashes for Python 3.11 to 3.13 on every platform, wheels only, and name no
# package index: whoever installs from a mirror gets the same octets, or an error.
set -eu
cd "$(dirname "$0")/.."

unset PIP_FIND_LINKS PIP_INDEX_URL PIP_EXTRA_INDEX_URL UV_FIND_LINKS UV_INDEX UV_DEFAULT_INDEX || true
export UV_NO_CONFIG=1 UV_PYTHON_DOWNLOADS=never
export UV_CUSTOM_COMPILE_COMMAND="tools/lock.sh"

lock() { # lock OUTPUT ARGUMENTS…
    output=$1
    shift
    "${UV:-uv}" pip compile pyproject.toml --quiet --universal --python-version 3.11 --no-build \
        --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links \
        --output-file "requirements/$output.txt" "$@"
}

lock runtime "$@"
lock dev --group dev --constraint requirements/runtime.txt "$@"

# What builds this package itself: the `build` group alone, in the versions of the dev lock.
"${UV:-uv}" pip compile --group build --quiet --universal --python-version 3.11 --no-build \
    --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links \
    --constraint requirements/dev.txt --output-file requirements/build.txt
