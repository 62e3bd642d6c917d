#!/usr/bin/env bash
# What launchers take for ssh: agent.sh [OPTION...] HOST COMMAND..., where a shell on HOST reads COMMAND.
set -euo pipefail
while [[ $1 == -* ]]; do shift; done
exec "${BASH_SOURCE[0]%/*}/hosts.sh" on "$1" sh -c "${*:2}"
