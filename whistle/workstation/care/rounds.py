"""A connected workstation looks for new messages by itself, so that whoever is on duty learns of what is urgent.

It does so at one beat while it is unlocked, whatever is there: an observer of the line learns that it is unlocked, and
nothing of what came.  Only this program knows that, since it opens the messages: nobody is written to or called.  The
tray stays as it is; what is signed already goes along.
"""

import threading
import time
from collections.abc import Callable, Iterable

from whistle.courier.errors import CourierError
from whistle.translations.catalogues import ENGLISH
from whistle.workstation import language
from whistle.workstation.app.desk import Desk
from whistle.workstation.app.session import Session
from whistle.workstation.care.watch import Watch
from whistle.workstation.errors import VaultLocked, WorkstationError
from whistle.workstation.exchange import exchange, outbox
from whistle.workstation.exchange.imports import import_files
from whistle.workstation.language import t

EVERY = 5 * 60  # seconds between two exchanges
STEP = 1.0  # seconds between two looks at the clock


class Rounds:
    """The exchanges of the page at `desk`, every so many seconds; `clock` gives seconds."""

    def __init__(self, desk: Desk, every: int = EVERY, clock: Callable[[], float] = time.monotonic) -> None:
        self._desk, self._every, self._clock = desk, every, clock
        self._watch: Watch | None = None  # of the session that was unlocked; the session itself would outlive its lock
        self._next = 0.0

    def forever(self) -> None:
        """Go on until the program ends."""
        while True:
            self.step()
            time.sleep(STEP)

    def step(self) -> None:
        """Exchange if it is time: once the workstation is unlocked, and then at the beat."""
        session = self._desk.opened
        if session is None or session.courier is None:
            self._watch = None
        elif session.watch is not self._watch or self._clock() >= self._next:
            self._watch, self._next = session.watch, self._clock() + self._every
            parts = session.watch, session.courier, session.carrying
            del session
            self._go(*parts)

    def _go(self, watch: Watch, courier: Callable[[], Iterable[str]], carrying: threading.Lock) -> None:
        with language.on_page(language.kept(self._desk.folder) or ENGLISH):
            try:
                self._with_vault(watch, lambda session: outbox.write(session.workstation, session.place()))
                with carrying:
                    list(courier())
                self._with_vault(watch, take_in)
            except VaultLocked:
                pass  # it was locked, or a command is at work: the next round comes
            except CourierError as exc:
                watch.trouble = language.sentence(str(exc))
            except WorkstationError as exc:
                watch.trouble = language.sentence(exc.message)
            except Exception as exc:  # as the page does; without its thread nobody would be told of anything again
                watch.trouble = t("app.broken", kind=type(exc).__name__)

    def _with_vault(self, watch: Watch, do: Callable[[Session], object]) -> None:
        """Do something while no request is under way.  Raises VaultLocked."""
        with self._desk.turn:
            session = self._desk.opened
            if session is None or session.watch is not watch:
                raise VaultLocked(t("desk.locked"), t("desk.locked_hint"))
            self._desk.resume()
            try:
                do(session)
            finally:
                self._desk.rest()


def take_in(session: Session) -> None:
    """Take in what the courier brought, and note what is urgent."""
    done = import_files(session.workstation, exchange.parts(session.place()))
    session.watch.came(session.workstation)
    if done.altered or done.findings:
        session.say(*done.lines(), good=False)
