"""`iot-button functions`: the function runtime alone, and the commands that talk to one."""

from pathlib import Path

import click

from iot_button.console import say_ready
from iot_button.lifetime import Lifetime
from iot_button.options import functions_port, takes_settings, until_stdin_closes
from iot_button.settings import Settings

OURS = Path(__file__).parent / "handlers" / "serverless.yml"


class _Group(click.Group):
    """Imports the subcommands when one is asked for: the runtime's start needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the subcommands."""
        self._load()
        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return one subcommand."""
        self._load()
        return super().get_command(ctx, cmd_name)

    def _load(self) -> None:
        from functions.commands import COMMANDS

        for subcommand in COMMANDS:
            self.add_command(subcommand)


@click.group(
    cls=_Group,
    invoke_without_command=True,
    epilog="Example: iot-button functions --manifest my-service/serverless.yml",
)
@click.option(
    "--manifest",
    "functions__manifest",
    metavar="PATH",
    help="A serverless.yml, a SAM template, or a folder with one. [our own: enrich, currentTime]",
)
@functions_port
@until_stdin_closes
@takes_settings
def command(settings: Settings, until_stdin_closes: bool) -> None:
    """Run the function runtime alone, until Ctrl-C; or talk to the one that runs.

    Without a manifest it runs our own `enrich`: from iotbutton/+ to iotprocessed.
    """
    if click.get_current_context().invoked_subcommand is None:
        _serve(settings, until_stdin_closes=until_stdin_closes)


def _serve(settings: Settings, *, until_stdin_closes: bool) -> None:
    # Here, not above: a subcommand talks to the runtime and needs nothing of it.
    from functions.runtime.manifest import load
    from functions.runtime.service import Service

    manifest = load(Path(settings.functions.manifest or OURS))
    if settings.functions.notify:
        from functions.notifying import with_notifications

        manifest = with_notifications(manifest, settings.functions.notify)
    service = Service(settings, manifest)

    def say_so() -> None:
        say_ready(
            "functions",
            input=",".join(service.filters) or "none",
            http=service.http_url,
            functions=",".join(spec.name for spec in service.manifest.functions),
        )

    with Lifetime(until_stdin_closes=until_stdin_closes, on_asked=service.ask_to_stop) as lifetime:
        try:
            service.open()
            if not lifetime.is_over:
                service.run(say_so)
        finally:
            service.close()
