#!/usr/bin/env bash
# Makes a bare machine ready to build: Debian's packages, and LibTorch in .deps/torch. Running it again costs a moment
# and no network.
#
#   cmake/setup.sh                      everything (what `make deps` calls)
#   cmake/setup.sh packages|libtorch    one of the two;  python: what the tests in Python need
#
#   TORCH=cpu|cuda       which LibTorch; without it: the one that is there, else CUDA where a GPU is seen, else CPU
#   LIBTORCH=DIR         a LibTorch of yours is used and none is unpacked; so is one found through CMAKE_PREFIX_PATH
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

torch_version=2.13.0
cpu_index=https://download.pytorch.org/whl/cpu
packages=(build-essential python3-venv libcli11-dev libyaml-cpp-dev libspdlog-dev libsentencepiece-dev sentencepiece
  catch2 nlohmann-json3-dev libpcre2-dev libarchive-dev libssl-dev libbenchmark-dev libgloo-dev gnuplot-nox ninja-build ccache cmake)

# Every version is pinned here; a constraint of the user's could only get in the way.
export PIP_CONSTRAINT=/dev/null

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { printf 'setup: error: %s\n' "$1" >&2; shift; printf '   hint: %s\n' "$@" >&2; exit 1; }

# --- packages -------------------------------------------------------------------------------------------------------

missing_packages() {
  local installed
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null | sed -n 's/^installed //p' || true)
  printf '%s\n' "${packages[@]}" | grep -vxF -f <(printf '%s\n' "$installed" | grep . || echo -) || true
}

# Where packages cannot be installed from here, the build goes on with the tools that are there: CMake names what it
# does not find.
without_packages() {
  local tool
  for tool in c++ cmake ninja python3; do
    command -v "$tool" >/dev/null || fail "$1, and '$tool' is not there" "install what these Debian packages hold: $2"
  done
  say "$1; going on with the tools that are there (Debian calls them: $2)"
}

install_packages() {
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    without_packages "this is no Debian or Ubuntu" "${packages[*]}"
    return
  fi
  local missing as_root=()
  mapfile -t missing < <(missing_packages)
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      without_packages "neither root nor sudo to install packages" "${missing[*]}"
      return
    fi
    as_root=(sudo)
  fi
  say "installing ${#missing[@]} packages: ${missing[*]}"
  local log
  log=$(mktemp)
  # An old package list answers "not found" for versions that moved on, so it is renewed first; one mirror out of reach
  # need not matter.
  ${as_root[@]+"${as_root[@]}"} apt-get update -qq >"$log" 2>&1 </dev/null || say "apt-get update had trouble; trying with the lists that are there"
  if ! ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      "${missing[@]}" >>"$log" 2>&1 </dev/null; then
    tail -n 15 "$log" >&2
    fail "apt-get could not install the packages (full log: $log)" "by hand: apt-get install ${missing[*]}"
  fi
  rm -f "$log"
}

# --- CMake ----------------------------------------------------------------------------------------------------------

# Ubuntu 22.04's CMake is too old for the presets; PyPI has a newer one, and the Makefile looks in .deps/tools/bin first.
install_cmake() {
  local version
  version=$(cmake --version 2>/dev/null | sed -n 's/^cmake version //p')
  [ "$(printf '%s\n' 3.25 "${version:-0}" | sort -V | head -n 1)" != 3.25 ] || return 0
  [ ! -x .deps/tools/bin/cmake ] || return 0
  say "CMake ${version:-(none)} is older than 3.25; fetching one into .deps/tools"
  rm -rf .deps/tools
  python3 -m venv .deps/tools && .deps/tools/bin/pip --quiet install 'cmake>=3.25,<5' ||
    fail "pip could not install CMake" "install CMake 3.25 or newer"
}

# --- LibTorch -------------------------------------------------------------------------------------------------------

gpu_is_seen() { [ -e /dev/nvidia0 ] || { command -v nvidia-smi >/dev/null && nvidia-smi -L >/dev/null 2>&1; }; }

# The LibTorch the user brings: LIBTORCH, or a CMAKE_PREFIX_PATH that has one.
libtorch_is_given() {
  [ -z "${LIBTORCH:-}" ] || return 0
  local folder
  while IFS= read -r folder; do
    [ -e "$folder/share/cmake/Torch/TorchConfig.cmake" ] && return 0
  done < <(tr ':;' '\n\n' <<<"${CMAKE_PREFIX_PATH:-}")
  return 1
}

# "2.13.0 cpu", or nothing where none is unpacked. The folder appears whole or not at all, so this is proof enough.
unpacked_torch() {
  local version
  version=$(sed -n "s/^__version__ = '\(.*\)'$/\1/p" .deps/torch/version.py 2>/dev/null) || return 0
  grep -q '^cuda.*= None' .deps/torch/version.py && echo "${version%%+*} cpu" || echo "${version%%+*} cuda"
}

# Downloads the wheel into $1/wheels. The CPU build is asked for by its full name first, which an index without it
# answers at once instead of sending gigabytes of the CUDA build. With the CUDA build come the NVIDIA wheels it links and
# the compiler that LibTorch's CMake files want to see.
download_wheels() {
  local work=$1 kind=$2
  local pip=("$work/venv/bin/python" -m pip --quiet --disable-pip-version-check download -d "$work/wheels")
  if [ "$kind" = cpu ]; then
    "${pip[@]}" --no-deps --retries 0 "torch==$torch_version+cpu" 2>>"$work/pip.log" && return
    say "no CPU build where pip looks; trying PyTorch's own index"
    "${pip[@]}" --no-deps --timeout 5 --retries 0 --index-url "$cpu_index" "torch==$torch_version" 2>>"$work/pip.log" && return
    [ -z "${TORCH:-}" ] || return # asked for by hand: no other will do
    say "PyTorch's index is out of reach; taking the CUDA build, which runs without a GPU too (2.5 GB)"
  fi
  # A CPU build that lies where pip looks is a later version to it.
  "${pip[@]}" --only-binary :all: "torch==$torch_version,!=$torch_version+cpu" "cuda-toolkit[nvcc,cccl]" 2>>"$work/pip.log"
}

unpack_libtorch() {
  local kind=${TORCH:-} there
  case $kind in '' | cpu | cuda) ;; *) fail "TORCH is '$kind' but must be cpu or cuda" "TORCH=cpu make deps" ;; esac
  libtorch_is_given && return
  there=$(unpacked_torch)
  if [ "$there" = "$torch_version $kind" ] || { [ -z "$kind" ] && [ "${there% *}" = "$torch_version" ]; }; then return; fi
  if [ -z "$kind" ]; then kind=cpu; gpu_is_seen && kind=cuda; fi

  command -v python3 >/dev/null || fail "python3 unpacks LibTorch and is not there" "install python3-venv, or give LIBTORCH=/path/to/libtorch"
  say "fetching LibTorch $torch_version ($kind build) into .deps/torch"
  rm -rf .deps/unpacking.* # an interrupted one
  work=$(mktemp -d .deps/unpacking.XXXXXX)
  trap 'rm -rf "$work"' EXIT
  python3 -m venv "$work/venv" || fail "python3 cannot make a virtual environment" "install python3-venv"
  mkdir "$work/wheels"
  download_wheels "$work" "$kind" || {
    tail -n 5 "$work/pip.log" >&2
    fail "pip found no $kind build of torch==$torch_version" "is a package index in reach? (pip download torch==$torch_version)" \
      "or unpack a LibTorch yourself and give LIBTORCH=/path/to/libtorch"
  }
  say "unpacking $(cd "$work/wheels" && ls torch-*.whl)"
  python3 cmake/unpack_wheels.py "$work/wheels" "$work/unpacked"
  rm -rf .deps/torch .deps/nvidia
  [ ! -d "$work/unpacked/nvidia" ] || mv "$work/unpacked/nvidia" .deps/nvidia
  rm -rf .deps/torchgen && mv "$work/unpacked/torchgen" .deps/torchgen
  mv "$work/unpacked/torch" .deps/torch # last, because it is what says that all is there
}

# --- Python packages that tests need: the data tools', and torchrun's -----------------------------------------------

# Whether .deps/python already has what a file of requirements lists; its copy there says so.
has_packages() { cmp -s "$1" ".deps/python/${1##*/}"; }
install_requirements() {
  .deps/python/bin/pip --quiet --disable-pip-version-check --retries 1 --timeout 20 install -r "$1" && cp "$1" .deps/python/
}

# requirements.txt is needed; without the packages of one tool alone (requirements-TOOL.txt) or of torchrun its tests are
# skipped.
install_python_packages() {
  local wanted=data_tools/requirements.txt of_one_tool
  if ! has_packages "$wanted"; then
    say "fetching the data tools' Python packages into .deps/python"
    rm -rf .deps/python
    python3 -m venv .deps/python && install_requirements "$wanted" ||
      fail "pip could not install what $wanted lists" "is a package index in reach?"
  fi
  for of_one_tool in data_tools/requirements-*.txt tests/launchers/requirements-torchrun.txt; do
    has_packages "$of_one_tool" || install_requirements "$of_one_tool" ||
      say "pip could not install what $of_one_tool lists; the tests that need it are skipped"
  done
}

case ${1:-all} in
  packages) install_packages ;;
  python) mkdir -p .deps; exec 9>.deps/lock; flock 9; install_python_packages ;;
  libtorch | all)
    [ "${1:-all}" = libtorch ] || install_packages
    mkdir -p .deps
    exec 9>.deps/lock
    flock 9 # two makes at once must not unpack over each other
    install_cmake
    unpack_libtorch
    ;;
  *) fail "unknown part '$1'" "usage: cmake/setup.sh [packages|libtorch|python]" ;;
esac
