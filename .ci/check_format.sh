#!/usr/bin/env bash
# Checks (or with --fix repairs) the format of every C++ file against .clang-format. Versions of clang-format differ in
# what they write, so one major version is the judge: Debian 12's.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=14

for tool in clang-format-$version clang-format ''; do
  [ -n "$tool" ] || break
  command -v "$tool" >/dev/null && "$tool" --version | grep -q "version $version\." && break
done
if [ -z "$tool" ]; then
  echo "format: clang-format $version is not installed (Debian: clang-format-$version); the format is not checked"
  exit 0
fi

mapfile -t files < <(git ls-files --cached --others --exclude-standard '*.cpp' '*.hpp' '*.cu' |
  while read -r file; do [ ! -e "$file" ] || echo "$file"; done)
if [ "${1:-}" = --fix ]; then
  "$tool" -i "${files[@]}"
elif differences=$("$tool" --dry-run --Werror "${files[@]}" 2>&1); then
  echo "format: ${#files[@]} files are as .clang-format says"
else
  grep -oE '^[^ ]+:[0-9]+:[0-9]+: error' <<<"$differences" | sed -E 's/:[0-9]+: error//' | sort -u -t: -k1,1 -k2,2n
  echo "format: the lines above differ from .clang-format; 'make format' repairs them"
  exit 1
fi
