"""What is installed: our packages under their names, and a wheel that starts by itself."""

import importlib
import importlib.util
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import DEADLINE, Program

ROOT = Path(__file__).parents[2]
PACKAGES = ("iot_button", "device_sim", "broker", "functions", "dashboard")


@pytest.mark.parametrize("name", PACKAGES)
def test_each_package_of_that_name_is_ours(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__file__ is not None
    assert Path(module.__file__).is_relative_to(ROOT)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built here, in an environment that holds nothing but the locked dependencies."""
    place = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = place.glob("*.whl")
    has_pip = importlib.util.find_spec("pip") is not None  # not where uv has made .venv
    venv.create(place / "env", with_pip=not has_pip)
    python = place / "env" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    pip = pip if has_pip else [str(python), "-m", "pip"]
    lock = ["--require-hashes", "-r", str(ROOT / "requirements" / "run.txt")]
    for what in (lock, ["--no-deps", str(wheel)]):
        install = [*pip, "install", "--quiet", "--no-compile", *what]
        subprocess.run(install, check=True, capture_output=True, timeout=300)
    return python


@pytest.fixture
def installed_up(installed: Path, environment: dict[str, str], tmp_path: Path) -> Iterator[Program]:
    options = ("up", "--port", "0", "--websocket-port", "0", "--dashboard-port", "0")
    program = Program(
        *options,
        environment={k: v for k, v in environment.items() if k != "PYTHONPATH"},
        directory=tmp_path,
        python=str(installed),
    )
    yield program
    program.stop()


def test_the_installed_wheel_starts_everything(installed_up: Program, installed: Path) -> None:
    installed_up.wait_for("^ready up", deadline=30)
    press = [str(installed.parent / "iot-button"), "press"]
    pressed = subprocess.run(
        [*press, "--broker", installed_up.address("mqtt")],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        env=os.environ | {"HOME": str(installed.parent)},
        cwd=installed.parent,
    )
    assert pressed.returncode == 0, pressed.stderr


def test_the_wheel_holds_the_page_and_the_type_marker(installed: Path) -> None:
    code = (
        "import pathlib, dashboard, iot_button;"
        "d = pathlib.Path(dashboard.__file__).parent;"
        "assert list(d.glob('templates/*.html')) and list(d.glob('static/*.js')), d;"
        "assert (pathlib.Path(iot_button.__file__).parent / 'py.typed').exists()"
    )
    subprocess.run([str(installed), "-c", code], check=True, cwd=installed.parent)
