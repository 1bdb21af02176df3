"""Serving the local page, on 127.0.0.1 only."""

import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from werkzeug.serving import BaseWSGIServer

from whistle.courier import Courier, folder
from whistle.local_page import listening
from whistle.workstation.app.app import create_app
from whistle.workstation.app.desk import IDLE, Desk
from whistle.workstation.care.rounds import EVERY, Rounds
from whistle.workstation.errors import Refused
from whistle.workstation.language import t
from whistle.workstation.workstation import Workstation

SOON = 0.5  # seconds until the program ends, so that the last page still comes


def serve(
    workstation: Workstation | Path,
    stick: Path | None,
    port: int = 0,
    saved: Path | None = None,
    courier: Path | None = None,
    idle: int = IDLE,
    profile: str = "standard",
    every: int = EVERY,
) -> tuple[BaseWSGIServer, str, Desk]:
    """A server for the page, its address, and what is behind it; the caller runs the one and closes the other.

    Raises Refused for a busy port, CourierError.  `workstation` is open, or the folder of a locked one.
    With a courier's folder the workstation is connected: it does the courier's part itself, `every` so many seconds
    too while it is unlocked.
    """
    if courier is not None:
        folder.settings(courier)
    if courier is not None and stick is None:
        stick = folder.own_stick(courier)
    errand = carrying(courier, stick) if courier is not None and stick is not None else None
    app = create_app(workstation, stick, errand, saved=saved, idle=idle, profile=profile)
    try:
        server, address = listening.serve(app, port, app.config["WHISTLE_PATH"])
    except listening.PortTaken as exc:
        raise Refused(str(exc), exc.hint) from exc
    desk: Desk = app.config["WHISTLE_DESK"]
    desk.rest()
    app.config["WHISTLE_END"] = lambda: threading.Timer(SOON, server.shutdown).start()
    if errand is not None:
        threading.Thread(target=Rounds(desk, every).forever, daemon=True).start()
    server.service_actions = desk.tick  # type: ignore[method-assign]  # twice a second, as long as it is served
    return server, address, desk


def carrying(folder: Path, stick: Path) -> Callable[[], Iterable[str]]:
    """A function that runs the courier between the server and `stick` and returns lines.  It raises CourierError."""

    def carry() -> list[str]:
        done = Courier(folder).exchange(stick)
        got = t("local_server.got", done.pushed.parts)
        gave = t("local_server.gave", done.pulled.fetched)
        lines: list[str] = [t("local_server.both", got=got, gave=gave)]
        if done.warning is not None:
            if done.warning >= 0:
                lines.append(t("local_server.ends", done.warning))
            else:
                lines.append(t("local_server.ended"))
        if done.leapt:
            lines.append(t("local_server.leapt"))
        return lines

    return carry
