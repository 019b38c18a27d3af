#!/usr/bin/env bash
# Installs real receivers for `pytest -m receivers`: rsyslog, nginx and NATS from Debian, syslog-ng beside them (its package
# conflicts with rsyslog's), moto's S3 from PyPI; VictoriaLogs, an
# OpenTelemetry Collector and strict readers where Go is there; OpenSearch and Kafka from Maven Central, with Debian's Java.
#   tests/receivers/install.sh DIR
# The tests find DIR in JWTLEAK_RECEIVERS. What is there already is not fetched again. Starts nothing, and leaves no service
# running that a package would start.
set -euo pipefail

dir=${1:?usage: tests/receivers/install.sh DIR}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

debian() {
  missing=()
  # The last ones read what docs/deploy holds: units, rotation, alert rules.
  for package in rsyslog rsyslog-gnutls nginx-light nats-server openjdk-17-jdk-headless maven logrotate systemd prometheus libfaketime; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ "${#missing[@]}" -gt 0 ] || [ ! -d "$dir/syslog-ng" ] || return 0
  apt-get update -qq
  if [ "${#missing[@]}" -gt 0 ]; then
    # Packages start their services where init lets them: nothing may listen on the machine's own ports.
    [ -e /usr/sbin/policy-rc.d ] || { printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d; made=yes; }
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    [ -z "${made:-}" ] || rm -f /usr/sbin/policy-rc.d
  fi
}

syslog_ng() {
  [ ! -d "$dir/syslog-ng" ] || return 0
  mkdir -p "$dir/debs"
  (cd "$dir/debs" && apt-get download -qq syslog-ng-core libivykis0 libnet1 libpcre3 libwrap0 2>/dev/null)
  for package in "$dir"/debs/*.deb; do dpkg -x "$package" "$dir/syslog-ng.new"; done
  mv "$dir/syslog-ng.new" "$dir/syslog-ng"
}

moto() {
  [ ! -x "$dir/moto/bin/moto_server" ] || return 0
  "${PYTHON:-python3}" -m venv "$dir/moto"
  "$dir/moto/bin/pip" install -q --no-compile 'moto[s3]>=5' flask flask-cors
}

# A compiler is not asked for: where there is one, two strict readers, a store for `_bulk`, OTLP, HEC and syslog, and a
# collector for OTLP are built. The collector takes three minutes of a processor, the others one.
with_go() {
  for name in strict victoria-logs otelcol; do [ -x "$dir/bin/$name" ] || missing_go=yes; done
  [ -n "${missing_go:-}" ] || return 0
  command -v go >/dev/null || { echo "install.sh: Go is not here: what is built with it is left out" >&2; return 0; }
  export GOPATH="$dir/go" GOCACHE="$dir/go/cache" GOBIN="$dir/bin" GOTOOLCHAIN=local CGO_ENABLED=0
  [ -x "$dir/bin/strict" ] || build strict -C "$here/strict" .
  [ -x "$dir/bin/otelcol" ] || build otelcol -C "$here/otelcol" -ldflags=-s .
  [ -x "$dir/bin/victoria-logs" ] || GOFLAGS=-mod=mod build victoria-logs github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs@v1.52.1
  go clean -modcache
  rm -rf "$dir/go"
}

build() {
  name=$1
  shift
  if [ "$1" = -C ]; then at=(-C "$2"); shift 2; else at=(); fi
  if ! go "${at[@]}" install "$@" 2>"$dir/go.log"; then
    echo "install.sh: $name could not be built and is left out:" >&2
    tail -n 3 "$dir/go.log" >&2
  fi
}

# Their own distributions are not on Maven Central, their libraries are: enough for a node and a broker.
maven() {
  command -v mvn >/dev/null || return 0
  for name in opensearch kafka; do
    [ ! -d "$dir/java/$name" ] || continue
    if mvn -q -B -f "$here/java/pom.xml" -P "$name" -Dmaven.repo.local="$dir/maven" dependency:copy-dependencies \
      -DoutputDirectory="$dir/java/$name.new" >"$dir/maven.log" 2>&1; then
      mv "$dir/java/$name.new" "$dir/java/$name"
    else
      echo "install.sh: $name could not be fetched and is left out:" >&2
      tail -n 3 "$dir/maven.log" >&2
    fi
  done
  rm -rf "$dir/maven"
}

if command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then
  debian
  syslog_ng
else
  echo "install.sh: needs Debian and root for rsyslog, syslog-ng, nginx and NATS: skipped" >&2
fi
# What needs the network and what needs the processor, beside each other.
maven &
fetching=$!
moto &
installing=$!
with_go
wait "$fetching"
wait "$installing"
