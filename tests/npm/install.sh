#!/usr/bin/env bash
# Installs the validators of formats that exist only on npm into DIR: Elastic's schema of ECS, Microsoft's SARIF multitool.
#   tests/npm/install.sh DIR
# The tests find DIR in JWTLEAK_NPM. What is there already is not fetched again.
set -euo pipefail

dir=${1:?usage: tests/npm/install.sh DIR}
ecs=9.4.0
sarif=5.7.0

if [ ! -e "$dir/done-$ecs-$sarif" ]; then
  mkdir -p "$dir"
  # No scripts of packages run; the one that is needed makes a file executable.
  npm install --prefix "$dir" --no-audit --no-fund --no-package-lock --ignore-scripts --loglevel=error \
    "@elastic/ecs@$ecs" "@microsoft/sarif-multitool@$sarif"
  chmod u+x "$dir"/node_modules/@microsoft/sarif-multitool-*/Sarif.Multitool
  touch "$dir/done-$ecs-$sarif"
fi
