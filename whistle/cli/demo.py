"""The demo's command: a server and a workstation on this machine, to try Whistle."""

import signal
import threading
from pathlib import Path
from types import FrameType

import click

from whistle.ceremony import demo as demos
from whistle.ceremony.root import RootError
from whistle.ceremony.server_process import ServingError
from whistle.cli.errors import Problem
from whistle.courier import CourierError
from whistle.server.errors import ServerError, StartError
from whistle.workstation.errors import WorkstationError

SAID = """
  DEMO ONLY. Every key lies in {folder} under a passphrase that is no secret: send nothing real.

  To report:            {reporter}
  To read, as the
  ombudsperson:         {workstation}

  The passphrase of the vaults and the root, should you want to open them yourself: {passphrase}

  1. Report something at the first address, and keep the twelve words.
  2. At the second, press "Exchange with the server": the report is in the queue. Answer it, and press it again.
  3. At the first, read the reply with the twelve words.

  The demo's workstation is online and does the courier's part too. With an offline one, a stick goes between:
  the courier exchanges on its side, and the second button is the workstation's.

  Ctrl-C stops both; run it again and it goes on with the same folder.
"""


@click.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default="demo",
    show_default=True,
    help="Where the demo lies; removed, it begins anew.",
)
@click.option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True, help="Of the server.")
@click.option("--workstation-port", type=click.IntRange(1, 65535), default=8081, show_default=True)
def demo(folder: Path, port: int, workstation_port: int) -> None:
    """Everything on this machine, to try it: a server on one port, a workstation on another."""
    ports = demos.Ports(port, workstation_port)
    stopped = _stop_event()
    try:
        demos.check_free_ports(ports)
        if not folder.exists():
            click.echo("Making the demo's keys, once; this takes some seconds.")
        demos.prepare(folder, ports)
        with demos.running(folder, ports) as pages:
            shown = {"reporter": pages.reporter, "workstation": pages.workstation}
            click.echo(SAID.format(folder=folder, passphrase=demos.PASSPHRASE, **shown))
            stopped.wait()
    except (RootError, ServingError, CourierError, WorkstationError, StartError) as exc:
        raise Problem(str(exc), exc.hint) from exc
    except ServerError as exc:
        raise Problem(str(exc), f"move the folder {folder.name} away, and the demo begins anew") from exc
    click.echo("Stopped.")


def _stop_event() -> threading.Event:
    """An event that is set by Ctrl-C, SIGTERM, or closing the terminal."""
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()

    for number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        signal.signal(number, stop)
    return stopped
