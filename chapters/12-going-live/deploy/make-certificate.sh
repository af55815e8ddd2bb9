#!/usr/bin/env bash
# Makes a certificate for this machine, key.pem and certificate.pem, in the folder given. Browsers
# warn of it, because no authority has signed it. For a domain of your own, ask Let's Encrypt.
#
# Run: bash make-certificate.sh FOLDER
set -euo pipefail
cd "$1"
umask 077
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
  -keyout key.pem -out certificate.pem -subj "/CN=localhost" \
  -addext "subjectAltName=DNS:localhost,IP:127.0.0.1" 2>openssl.log || { cat openssl.log >&2; exit 1; }
