"""`python -m iot_button` is the `iot-button` command."""

from iot_button.cli import main

main()
