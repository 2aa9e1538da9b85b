# Sourced by the other scripts: the environment in .venv, made when it is missing or out of date.
# shellcheck shell=sh

say() {
    printf '%s\n' "iot-button: $*" >&2
}

fail() {
    say "$*"
    exit 1
}

# make_environment run|test: installs exactly what requirements/NAME.txt locks, and the project.
make_environment() {
    name=$1
    wanted=$(cat "requirements/$name.txt" pyproject.toml scripts/environment.sh | cksum)" $(pwd -P)"
    [ "$(cat ".venv/installed-$name" 2>/dev/null)" = "$wanted" ] &&
        .venv/bin/python -c 'import iot_button' 2>/dev/null && return
    say "installing into .venv; this is done once and can take a minute"
    rm -f ".venv/installed-$name"
    trap 'exit 130' INT
    if ! command -v uv >/dev/null 2>&1 || ! install_with_uv; then
        install_with_pip
    fi
    printf '%s\n' "$wanted" >".venv/installed-$name"
    trap - INT
}

install_with_uv() {
    .venv/bin/python -c '' 2>/dev/null ||
        uv venv --quiet --clear --python "$(find_python)" .venv || return
    for step in "--require-hashes -r requirements/$name.txt" "--no-deps --no-build-isolation -e ."; do
        # shellcheck disable=SC2086  # the step is several words
        uv pip install --quiet --compile-bytecode --python .venv/bin/python $step || {
            say "uv could not install it; trying with pip"
            return 1
        }
    done
}

install_with_pip() {
    if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
        python=$(find_python) || exit 1
        "$python" -c 'import ensurepip' 2>/dev/null || install_debian_packages python3-venv ||
            fail "Python's venv module is missing. Install it: sudo apt-get install python3-venv"
        "$python" -m venv --clear .venv || fail "python3 -m venv failed; the reason is above"
    fi
    for step in "--require-hashes -r requirements/$name.txt" "--no-deps --no-build-isolation -e ."; do
        # shellcheck disable=SC2086  # the step is several words
        .venv/bin/python -m pip install -qq --disable-pip-version-check $step ||
            fail "the installation failed; the reason is above. Run the same command again to go on."
    done
}

find_python() {
    for python in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
        command -v "$python"
        return
    done
    [ -z "${PYTHON:-}" ] || fail "PYTHON=$PYTHON is no Python 3.11 or newer"
    fail "Python 3.11 or newer is needed. Install it: sudo apt-get install python3 python3-venv"
}

# install_debian_packages NAME...: as root by itself; otherwise it only says that it cannot.
install_debian_packages() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 || return 1
    say "installing Debian packages: $*"
    apt-get update -qq >/dev/null || true
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
