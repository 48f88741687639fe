#!/usr/bin/env bash
# Brings the pinned Node into .nightshift/toolchain, then the packages of package-lock.json into node_modules.
# Needs any Node with npm. Does nothing when both are there already.
set -euo pipefail
cd "$(dirname "$0")/.."

NODE_VERSION=24.21.0
TOOLCHAIN=$PWD/.nightshift/toolchain
BIN=$TOOLCHAIN/node_modules/.bin

if [ "$("$BIN/node" --version 2>/dev/null || true)" != "v$NODE_VERSION" ]; then
  if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    echo 'Nightshift needs Node with npm to begin with, in any version: see https://nodejs.org/en/download' >&2
    echo '(on Debian or Ubuntu: apt-get install nodejs npm)' >&2
    exit 1
  fi
  echo "installing Node $NODE_VERSION into .nightshift/toolchain"
  mkdir -p "$TOOLCHAIN"
  # A package.json of its own keeps npm from climbing to the one of the repository.
  echo '{ "private": true }' >"$TOOLCHAIN/package.json"
  # The package fetches its binary in an install script, so that must not be turned off here.
  npm install --prefix "$TOOLCHAIN" --save-exact --no-audit --no-fund --ignore-scripts=false --loglevel=error \
    "node@$NODE_VERSION"
fi
export PATH="$BIN:$PATH"
if [ "$(node --version)" != "v$NODE_VERSION" ]; then
  echo "Node $NODE_VERSION was installed into .nightshift/toolchain, but does not run there" >&2
  exit 1
fi

# npm writes this file last, so an interrupted install counts as none.
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  echo 'installing the packages of package-lock.json'
  npm ci --no-audit --no-fund --loglevel=error
fi
