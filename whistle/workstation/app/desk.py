"""What stands behind the page: an unlocked workstation, or none, so that nothing of the vault is left in this program.

Texts that reach a locked page are sealed at once to the reviewer's own key, and given back once the vault is unlocked.
"""

import gc
import json
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from whistle.protocol import age
from whistle.protocol.age import HybridRecipient
from whistle.protocol.errors import ProtocolError
from whistle.workstation import language
from whistle.workstation.app.refused_forms import Form
from whistle.workstation.app.session import Session
from whistle.workstation.errors import Refused, VaultLocked, WorkstationError
from whistle.workstation.language import t
from whistle.workstation.workstation import Today, Workstation, utc_today

IDLE = 15 * 60  # seconds without a request of a person's, after which it locks
LONGEST = 1024  # bytes of a passphrase, at every door
TEXTS = "texts"  # in place of a case, for a text for replies
TRAY = "tray"  # in place of a case, for a change of what waits there; the form is its number
OFFICE = "office"  # in place of a case, for the clocks, holidays and absence
MOST_FORMS = 8  # kept sealed while the vault cannot be used; the oldest goes first
# The one stands still while a laptop sleeps, on some systems; the other can be set. Whichever went further counts.
CLOCKS: tuple[Callable[[], float], ...] = (time.monotonic, time.time)


class Desk:
    """The workstation in `folder`, unlocked or not; `begin` makes the page's state for an unlocked one.

    Whoever uses it holds `turn`, so that a lock waits for what is under way.  Between two requests the vault rests, so
    that commands can open it with its passphrase as if there were no page.
    """

    def __init__(
        self, folder: Path, begin: Callable[[Workstation], Session], today: Today = utc_today, idle: int = IDLE
    ) -> None:
        self.folder = folder
        self.idle = idle
        self.turn = threading.Lock()
        self.clocks = CLOCKS
        self.problem: WorkstationError | None = None  # of the last attempt to unlock
        self.typed_first: dict[str, str] = {}  # into the form of a new workstation that was refused, without passphrase
        self.not_done = False  # a form came while it was locked, or used by a command
        self.language = language.kept(folder)  # a code; empty until somebody chooses
        self._begin = begin
        self.today = today
        self._session: Session | None = None
        self._own: HybridRecipient | None = None  # the public half of a key that the vault holds
        self._sealed: deque[bytes] = deque(maxlen=MOST_FORMS)
        self._touched: tuple[float, ...] = ()

    @property
    def session(self) -> Session:
        """The state of the unlocked page.  Raises VaultLocked."""
        if self._session is None:
            raise VaultLocked(t("desk.locked"), t("desk.locked_hint"))
        return self._session

    @property
    def opened(self) -> Session | None:
        """The same; None while it is locked."""
        return self._session

    @property
    def is_locked(self) -> bool:
        """Whether the vault is closed."""
        return self._session is None

    @property
    def keeps(self) -> bool:
        """Whether texts wait, sealed, to be given back."""
        return bool(self._sealed)

    def take(self, workstation: Workstation) -> None:
        """Go on with an unlocked workstation."""
        self._own = workstation.identities()[0].recipient
        self._session = self._begin(workstation)
        self.problem, self.not_done = None, False
        self.speak(self.language)
        self.touch()

    def speak(self, code: str) -> None:
        """Show pages in this language from now on; that is kept beside the vault, once there is one."""
        self.language = code
        if code and self.folder.is_dir() and language.kept(self.folder) != code:
            with suppress(OSError):  # until this program ends it holds all the same
                language.keep(self.folder, code)

    def unlock(self, passphrase: str) -> None:
        """Open the vault; if that fails, `problem` says why, and nothing is changed."""

        def open_() -> Workstation:
            if not 0 < len(passphrase.encode("utf-8", "surrogatepass")) <= LONGEST:
                raise Refused(t("desk.no_passphrase"), t("desk.no_passphrase_hint", LONGEST))
            return Workstation.open(self.folder, passphrase, self.today)

        self.begin(open_)

    def begin(self, make: Callable[[], Workstation]) -> None:
        """Go on with the workstation that comes of this; if none does, `problem` says why."""
        try:
            station = make()
        except WorkstationError as exc:
            # Not the error itself: what it was raised in knows the passphrase.
            self.problem = WorkstationError(exc.message, exc.hint)
            return
        try:
            self.take(station)
        except BaseException:
            station.close()
            raise

    def lock(self) -> None:
        """Close the vault and drop what was read from it; another program can open it then."""
        if self._session is None:
            return
        for case, typed in self._session.typed.items():
            for name, form in typed.forms.items():
                self.keep(case, name, form)
        for number, fields in self._session.typed_tray.items():
            self.keep(TRAY, str(number), Form("", "", fields))
        for place, left in ((TEXTS, self._session.typed_template), (OFFICE, self._session.typed_office)):
            if left:
                self.keep(place, "", Form("", "", left))
        self._session.workstation.close()
        self._session = None
        gc.collect()  # what refers to itself too

    def resume(self) -> None:
        """Have the vault for the page alone.  Raises VaultLocked while a command uses it."""
        if self._session is not None:
            self._session.workstation.resume()

    def rest(self) -> None:
        """Let commands use the vault until `resume`."""
        if self._session is not None:
            self._session.workstation.rest()

    def touch(self) -> None:
        """A person did something."""
        self._touched = tuple(clock() for clock in self.clocks)

    def lock_if_idle(self) -> None:
        """Lock, if nobody did anything for long enough."""
        since = (clock() - before for clock, before in zip(self.clocks, self._touched, strict=False))
        if not self.is_locked and max(since) >= self.idle:
            self.lock()

    def tick(self) -> None:
        """As `lock_if_idle`, from outside of a request; nothing happens while one is under way."""
        if self.turn.acquire(blocking=False):
            try:
                self.lock_if_idle()
            finally:
                self.turn.release()

    def close(self) -> None:
        """Lock, once what is under way has ended."""
        with self.turn:
            self.lock()

    def keep(self, case: str, name: str, form: Form) -> None:
        """Keep what was typed, sealed; lost if no workstation was ever unlocked here."""
        if self._own is not None:
            record = [case, name, form.error, form.hint, dict(form.fields)]
            self._sealed.append(age.encrypt([self._own], json.dumps(record).encode()))

    def given_back(self) -> list[tuple[str, str, Form]]:
        """What was kept, with case and name of each form, once; without what these keys do not open."""
        sealed, self._sealed = list(self._sealed), deque(maxlen=MOST_FORMS)
        identities = self.session.workstation.identities() if sealed else []
        found = []
        for each in sealed:
            try:
                record: list[Any] = json.loads(age.decrypt(identities, each))
            except ProtocolError:
                continue
            case, name, error, hint, fields = record
            found.append((case, name, Form(error, hint, fields)))
        return found
