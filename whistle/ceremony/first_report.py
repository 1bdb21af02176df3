"""A trial report, to check the whole way: sealed, carried by courier and stick, opened.

Its text says that it is a trial. Its twelve words are forgotten at once, since nobody will come back to it.
"""

import datetime
import secrets

import requests

from whistle.ceremony.steps import Layout
from whistle.courier import Courier
from whistle.protocol.case import envelope, message
from whistle.protocol.case.message import Report, Sender, Slip
from whistle.protocol.code import retrieval
from whistle.protocol.reporter import submission
from whistle.protocol.trust.manifest import RECOVERY, SignedManifest
from whistle.workstation.exchange import exchange
from whistle.workstation.workstation import Workstation

TEXT = "This is a trial report, made when this organisation was set up. Nobody wrote it; close it."
TIMEOUT = 60  # seconds


class TrialError(Exception):
    """The trial report did not arrive; `hint` says where to look."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def report(url: str, signed: SignedManifest, channel: str, day: datetime.date) -> str:
    """Seal a trial report for a channel and send it to the server; returns its case. Raises TrialError."""
    reporter = retrieval.derive(secrets.token_bytes(16))
    listed = signed.manifest.channel(channel)
    if listed is None:
        raise TrialError("the manifest has no such channel", "sign one that has")
    readers = (*listed.readers, *([RECOVERY] if signed.manifest.recovery else []))
    sender = Sender(reporter.verify_key.hex(), reporter.mailbox.recipient.text, reporter.replies.hex())
    report = Report(
        case=reporter.case.hex(), readers=readers, without=(), keys=signed.keys, sender=sender,
        sealed="device", day=day, language="en", channel=channel, text=TEXT,
    )  # fmt: skip
    slip = Slip(
        case=report.case, readers=readers, without=(), keys=signed.keys, sender=sender,
        sealed="device", day=day, language="en", channel=channel,
    )  # fmt: skip
    slots = signed.manifest.slots
    sealed = envelope.seal(message.sign(report, reporter.signing), signed.manifest.recipients(readers, day), slots)
    own = envelope.seal(message.sign(slip, reporter.signing), [reporter.mailbox.recipient], slots)
    _post(f"{url}/api/store", submission.encode(reporter.report_token, [sealed, own], []))
    return report.case


def fetch(layout: Layout, id: str, passphrase: str, case: str) -> str:
    """Exchange by stick and open the report; returns the case's reference. Raises TrialError, CourierError,
    WorkstationError.
    """
    layout.stick.mkdir(exist_ok=True)
    Courier(layout.courier).exchange(layout.stick)
    station = Workstation.open(layout.workstation(id), passphrase)
    try:
        exchange.exchange(station, layout.stick)
        texts = [station.message(hash).message for hash in station.hashes(case)]
    finally:
        station.close()
    if not any(isinstance(each, Report) and each.text == TEXT for each in texts):
        raise TrialError("the trial report did not come back", "run whistle server run and see what it says")
    return retrieval.reference(bytes.fromhex(case))


def _post(url: str, body: bytes) -> None:
    with requests.Session() as session:
        session.trust_env = False
        try:
            answer = session.post(url, body, headers={"Content-Type": "application/octet-stream"}, timeout=TIMEOUT)
        except requests.RequestException as exc:
            raise TrialError("the server did not take the trial report", "see what the server says") from exc
    if answer.status_code != requests.codes.no_content:
        raise TrialError(f"the server refused the trial report ({answer.status_code})", "see what the server says")
