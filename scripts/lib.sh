# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034
# What scripts/run and scripts/test share. Sourced, not executed.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build
prefix=$build/prefix
venv=$build/venv
logs=$build/logs

# A caller may have closed standard input; then a program's first open file would become its fd 0.
{ : <&0; } 2>/dev/null || exec </dev/null

build_packages=(
  g++ cmake ninja-build pkg-config git
  libzmq3-dev cppzmq-dev nlohmann-json3-dev libssl-dev xtl-dev libcli11-dev libspdlog-dev libsqlite3-dev liblua5.4-dev
  python3 python3-venv
)
# libclang-rt-dev has no version in its name: it brings the runtime of the distribution's own clang. The sources are laid out
# and looked at by version 14 of these tools, wherever they are built.
# The Lua modules are those that the notebooks in docs/ and tests/clients/test_lua_modules.py use; Penlight's files need lfs.
test_packages=(
  libluajit-5.1-dev libgtest-dev libgmock-dev clang libclang-rt-dev clang-format-14 clang-tidy-14 ccache
  lua-cjson lua-filesystem lua-lpeg lua-penlight lua-socket
  valgrind
)

# --- What the user sees --------------------------------------------------------------------------

if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
  bold=$'\e[1m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'
else
  bold='' red='' green='' plain=''
fi

say() { printf '%s\n' "$*"; }

# fail WHAT ADVICE: the last words of a script.
fail() {
  printf '%s\n' "${red}$(basename "$0"): $1${plain}" "  What to do: $2" >&2
  exit 1
}

# What a command ends with that cannot do its work here, and says why.
skipped_status=77

# logged NAME TITLE ADVICE COMMAND...: runs COMMAND with its output in build/logs/NAME.log; one line says how it went, and
# after a failure the log's end and the advice follow. Returns 1 then, and leaves it to the caller to go on or to stop.
logged() {
  local name=$1 title=$2 advice=$3 log=$logs/$1.log start=$SECONDS
  shift 3
  mkdir -p "$logs"
  printf '  %-52s ' "$title"
  local status=0
  "$@" >"$log" 2>&1 </dev/null || status=$?
  if ((status == 0)); then
    printf '%s\n' "${green}ok${plain} ($((SECONDS - start)) s)"
    return 0
  elif ((status == skipped_status)); then
    printf '%s\n' "${bold}SKIPPED${plain} ($((SECONDS - start)) s)"
    return "$status"
  fi
  printf '%s\n' "${red}FAILED${plain} ($((SECONDS - start)) s)"
  {
    printf '%s\n' "  --- the last lines of ${log#"$root"/}"
    tail -n 25 "$log" | sed 's/^/  | /'
    printf '%s\n' "  --- What to do: $advice"
  } >&2
  return 1
}

# must NAME TITLE ADVICE COMMAND...: like logged, but a failure ends the script.
must() { logged "$@" || exit 1; }

# --- System packages -----------------------------------------------------------------------------

as_root() {
  if [[ $(id -u) -eq 0 ]]; then
    env DEBIAN_FRONTEND=noninteractive "$@"
  else
    sudo env DEBIAN_FRONTEND=noninteractive "$@"
  fi
}

apt_install() {
  as_root apt-get update -q && as_root apt-get install -q -y --no-install-recommends "$@"
}

# ensure_packages PACKAGE...: installs those that are missing, and asks for root only then.
ensure_packages() {
  local package status missing=()
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    say "  This is not Debian or Ubuntu: nothing is installed here; the build needs what these packages hold:"
    say "  $*"
    return
  fi
  for package; do
    status=$(dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null || true)
    grep -qx installed <<<"$status" || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  if [[ $(id -u) -ne 0 ]] && ! command -v sudo >/dev/null; then
    fail "missing system packages: ${missing[*]}" "install them as root (there is no sudo here), then repeat this command"
  fi
  say "  missing: ${missing[*]}"
  must packages "system packages: install ${#missing[@]}" \
    "check the network and apt's sources (apt-get update), or install them by hand: ${missing[*]}" \
    apt_install "${missing[@]}"
}

# --- Build ---------------------------------------------------------------------------------------

# The caches live in the checkout unless their owner says otherwise.
export CCACHE_DIR=${CCACHE_DIR:-$build/cache/ccache}
export PIP_CACHE_DIR=${PIP_CACHE_DIR:-$build/cache/pip}

# configure PRESET [CMAKE_ARGUMENT...]
configure() {
  local launcher=()
  command -v ccache >/dev/null && launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  (cd "$root" && cmake --preset "$1" "${launcher[@]}" "${@:2}")
}

# Explicit, because a tree that scripts/run configured has them off.
developer_options=(-DADRASTEA_DEVELOPER_MODE=ON -DADRASTEA_BUILD_TESTING=ON)

# compile PRESET
compile() { (cd "$root" && cmake --build --preset "$1"); }

# install_release: what is there already and the same is not touched, for kernels may be running from it. What an older
# version installed and this one does not goes.
install_release() {
  cmake --install "$build/release" --prefix "$prefix" || return
  comm -23 <(find "$prefix" -type f -o -type l | sort) <(sort "$build/release/install_manifest.txt") |
    while IFS= read -r stray; do rm -v "$stray"; done
}

# --- Python --------------------------------------------------------------------------------------

# The python3 in PATH may be one that cannot make an environment (a stripped or a foreign one): the system's comes first.
find_python() {
  local candidate
  for candidate in /usr/bin/python3 python3; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      printf '%s\n' "$candidate"
      return 0
    fi
  done
  fail "no Python 3.11 or newer that can make a virtual environment" "apt-get install python3 python3-venv"
}

# clean_python: nothing of the user's own Python shall be seen in ours.
clean_python() {
  unset PYTHONPATH PYTHONHOME PYTHONSTARTUP
  export PYTHONNOUSERSITE=1 PIP_DISABLE_PIP_VERSION_CHECK=1
}

pip_install() {
  local file arguments=(-c "$root/scripts/constraints.txt")
  for file; do arguments+=(-r "$root/scripts/$file"); done
  "$venv/bin/python" -m pip install -q --no-input "${arguments[@]}"
}

# make_venv PYTHON: --clear, because a half-made one looks complete.
make_venv() { "$1" -m venv --clear "$venv"; }

# ensure_venv NAME...: build/venv with scripts/requirements-NAME.txt of each. A stamp for each file holds the hash of what was
# installed, so that a repeated run asks nobody; a checkout that was moved gets a new environment, for scripts inside
# name their interpreter by its path.
ensure_venv() {
  local python name stamp hash identity
  clean_python
  python=$(find_python)
  identity="$venv $("$python" -c 'import sys; print(sys.version)')"
  if [[ $(cat "$venv/stamp" 2>/dev/null) != "$identity" ]]; then
    must venv "Python environment in build/venv" "remove build/venv and repeat; python3-venv must be installed" \
      make_venv "$python"
    printf '%s\n' "$identity" >"$venv/stamp"
  fi
  for name; do
    stamp=$venv/stamp-$name
    hash=$(cat "$root/scripts/constraints.txt" "$root/scripts/requirements-$name.txt" | sha256sum)
    [[ $(cat "$stamp" 2>/dev/null) == "$hash" ]] && continue
    must "pip-$name" "Jupyter's programs ($name)" "check the network and pip's index, then repeat; or remove build/venv" \
      pip_install "requirements-$name.txt"
    printf '%s\n' "$hash" >"$stamp"
  done
}

# jupyter_environment: Jupyter sees the installed kernels and writes below build/ only.
# An ipc address is a path of at most 107 bytes and Jupyter's file names take 53 of them (kernel-UUID-ipc-N): in a checkout
# whose path is too long for that, the runtime directory is a temporary one that ends with the script.
jupyter_environment() {
  clean_python
  export JUPYTER_PATH=$prefix/share/jupyter
  export JUPYTER_CONFIG_DIR=$build/jupyter/config JUPYTER_DATA_DIR=$build/jupyter/data
  export JUPYTER_RUNTIME_DIR=$build/run
  export IPYTHONDIR=$build/jupyter/ipython
  export XDG_CACHE_HOME=$build/cache
  unset JUPYTER_CONFIG_PATH JUPYTER_PREFER_ENV_PATH
  if ((${#JUPYTER_RUNTIME_DIR} > 107 - 53)); then
    JUPYTER_RUNTIME_DIR=$(TMPDIR=/tmp mktemp -d -t adrastea.XXXXXX)
    # Expanded now: the variable may have another value when the script ends.
    # shellcheck disable=SC2064
    trap "rm -rf '$JUPYTER_RUNTIME_DIR'" EXIT
  fi
  mkdir -p "$JUPYTER_RUNTIME_DIR" "$JUPYTER_CONFIG_DIR" "$JUPYTER_DATA_DIR"
  chmod 700 "$JUPYTER_RUNTIME_DIR"
}
