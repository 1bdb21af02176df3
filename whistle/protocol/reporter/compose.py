"""The reporter's half of sealing, wherever it is done: what was written becomes a report with its slip, or a follow-up.

It refuses what nobody could read, what holds the twelve words, and what says nothing (SPEC 2.3, 4).
"""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from whistle.protocol.age import HybridRecipient, Throwaway
from whistle.protocol.case import envelope, message
from whistle.protocol.case.attachment import Attachment, Block
from whistle.protocol.case.message import MAX_TEXT, FollowUp, Message, Report, Sender, Slip
from whistle.protocol.code import words
from whistle.protocol.code.retrieval import Reporter
from whistle.protocol.errors import Malformed, ProtocolError
from whistle.protocol.invisible_text import is_blank
from whistle.protocol.reporter import submission
from whistle.protocol.reporter.questions import WAY
from whistle.protocol.reporter.reply_validation import Conversation
from whistle.protocol.reporter.submission import Submission
from whistle.protocol.trust.manifest import RECOVERY, Manifest, SignedManifest
from whistle.protocol.trust.manifest_chain import offered, people

M = TypeVar("M", bound=Message)


class Refused(ProtocolError):
    """A message was not sealed, for a reason that its writer can mend."""


class HoldsWords(Refused):
    """The text holds the reporter's twelve words, which nobody else may see."""


class HoldsSealedReport(Refused):
    """A text is a sealed report, or a part of one: it would travel inside another, under other words."""


class Empty(Refused):
    """There is neither text, nor an answer, nor a file."""


class NobodyLeft(Refused):
    """Everybody who could read it was left out, or no reader is active any more."""


class TooLong(Refused):
    """What a message says does not fit into its envelope, for example when too many people are left out."""


@dataclass(frozen=True)
class Draft:
    """What a reporter wrote.  `blocks` are the ids of the attachments' blocks, which the server has already.

    `readers`: empty for the channel's own, or for a follow-up the case's own; else whom the reporter chose.
    `continues`: whoever the reporter was under the words that somebody saw.
    """

    channel: str
    language: str
    text: str
    answers: Mapping[str, str] = field(default_factory=dict)
    readers: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    blocks: tuple[bytes, ...] = ()
    continues: Reporter | None = None


@dataclass(frozen=True)
class Writer:
    """By which manifest, on which day, and how messages are sealed; `where` is what they say of it.

    `throwaways` are recipients whose identities nobody has; fresh ones are made where there are too few.
    """

    known: SignedManifest
    day: datetime.date
    where: str  # device, browser or arrival
    throwaways: Sequence[Throwaway] = ()

    def report(self, draft: Draft, reporter: Reporter) -> Submission:
        """A report and its slip.  Raises Refused: Empty, HoldsWords, HoldsSealedReport, NobodyLeft, TooLong."""
        check(draft)
        readers, without = self.readers(draft)
        shared = self._shared(draft, reporter, readers, without)
        answers = {id: lines(text) for id, text in draft.answers.items() if not is_blank(text)}
        whole = _made(
            Report,
            shared,
            channel=draft.channel,
            text=lines(draft.text),
            answers=answers or None,
            attachments=draft.attachments,
            continues=_continues(draft.continues, reporter),
        )
        body, rest = self._seal(whole, reporter, self._recipients(readers))
        slip, _ = self._seal(_made(Slip, shared, channel=draft.channel), reporter, [reporter.mailbox.recipient])
        return Submission((reporter.report_token, reporter.slip_token), (body, slip), tuple(rest))

    def follow_up(
        self, draft: Draft, reporter: Reporter, case: Conversation | None, attempt: bytes, digest: bytes
    ) -> Submission:
        """A follow-up to whoever reads the case, or to `draft.readers`.  Raises Refused as `report` does.

        `attempt` and `digest`, 32 bytes each, name the form: the same ones are the same follow-up.
        """
        check(draft, reporter.code)
        readers, without = self.follow_up_readers(draft, case)
        shared = self._shared(draft, reporter, readers, without)
        whole = _made(FollowUp, shared, text=lines(draft.text), attachments=draft.attachments)
        body, rest = self._seal(whole, reporter, self._recipients(readers))
        return Submission((reporter.follow_up_token(attempt, digest),), (body,), tuple(rest))

    def readers(self, draft: Draft) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Who reads a report, and who was left out.  Raises NobodyLeft."""
        manifest = self.known.manifest
        without = listed(manifest, draft.without)
        chosen = self._able(draft.readers, without) or readers_of(manifest, draft.channel, without)
        return self._some(chosen, without), without

    def follow_up_readers(self, draft: Draft, case: Conversation | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Who reads a follow-up, and who was left out.  Raises NobodyLeft."""
        manifest = self.known.manifest
        without = case.slip.without if case and case.slip else listed(manifest, draft.without)
        usual = follow_up_readers(case, manifest) if case else ()
        return self._some(self._able(draft.readers, without) or usual, without), without

    def _some(self, readers: Iterable[str], without: Iterable[str]) -> tuple[str, ...]:
        found = self._able(readers, without)
        if not any(id != RECOVERY for id in found):
            raise NobodyLeft("nobody is left to read it")
        return found

    def _able(self, readers: Iterable[str], without: Iterable[str]) -> tuple[str, ...]:
        """Those who can be sealed to on the day and were not left out, as many as there are slots."""
        manifest = self.known.manifest
        able = {reviewer.id for reviewer in offered(manifest, self.day)} | ({RECOVERY} if manifest.recovery else set())
        found = [id for id in dict.fromkeys(readers) if id in able - set(without)]
        return tuple(found[: manifest.slots])

    def _recipients(self, readers: Iterable[str]) -> list[HybridRecipient]:
        return self.known.manifest.recipients(readers, self.day)

    def _shared(
        self, draft: Draft, reporter: Reporter, readers: tuple[str, ...], without: tuple[str, ...]
    ) -> dict[str, Any]:
        """What the messages of one reporter on one day have in common."""
        return {
            "case": reporter.case.hex(),
            "readers": readers,
            "without": without,
            "keys": self.known.keys,
            "sender": Sender(reporter.verify_key.hex(), reporter.mailbox.recipient.text, reporter.replies.hex()),
            "sealed": self.where,
            "day": self.day,
            "language": draft.language,
        }

    def _seal(self, whole: Message, reporter: Reporter, recipients: list[HybridRecipient]) -> tuple[bytes, list[Block]]:
        slots = self.known.manifest.slots
        try:
            folded, blocks = envelope.fold(whole, slots)
        except Malformed as error:
            raise TooLong("a message is too long for its envelope") from error
        signed = message.sign(folded, reporter.signing)
        return envelope.seal(signed, recipients, slots, self.throwaways), blocks


def check(draft: Draft, code: bytes | None = None, files: int = 0) -> None:
    """Raise Refused for a draft that says nothing or holds words: any, or those of one ``code``.

    ``files`` is how many more attachments will come.
    """
    texts = [draft.text, *draft.answers.values()]
    said = [draft.text, *(text for id, text in draft.answers.items() if id != WAY)]
    if not draft.attachments and not files and all(map(is_blank, said)):
        raise Empty("there is neither text nor a file")
    if any(len(text) > MAX_TEXT for text in texts):
        raise TooLong("a text is too long")
    if any(map(submission.is_armored, texts)):
        raise HoldsSealedReport("a text is a sealed report, or a part of one")
    if any(words.holds_code(text, code) for text in texts):
        raise HoldsWords("the text holds the twelve words")


def readers_of(manifest: Manifest, channel: str, without: Iterable[str]) -> tuple[str, ...]:
    """Who reads a report to a channel when some are left out: reviewers, then the recovery identity if there is one.

    Empty when no reviewer is left, whatever the recovery identity could open.
    """
    found = manifest.channel(channel)
    readers = tuple(id for id in found.readers if id not in set(without)) if found else ()
    return _with_recovery(manifest, readers, without) if readers else ()


def follow_up_readers(case: Conversation, manifest: Manifest) -> tuple[str, ...]:
    """Who reads a follow-up: the slip's readers and those of every notice and reply, still active, less who was left
    out.

    Nobody where there is no slip: no reply can be believed about who was left out (SPEC 4.7).
    """
    if case.slip is None:
        return ()
    without = set(case.slip.without)
    active = {reviewer.id for reviewer in manifest.active()} - without
    readers = tuple(id for id in case.named if id in active)
    room = manifest.slots - (manifest.recovery is not None)
    return _with_recovery(manifest, readers[:room], without) if readers else ()


def listed(manifest: Manifest, ids: Iterable[str]) -> tuple[str, ...]:
    """Those of the ids that the manifest knows, each once, in a fixed order."""
    return tuple(sorted(people(manifest) & set(ids)))


def lines(text: str) -> str:
    """Line ends as this program writes them; browsers send CR LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _made(kind: type[M], shared: dict[str, Any], **more: Any) -> M:
    return kind(**shared, **more)


def _with_recovery(manifest: Manifest, readers: tuple[str, ...], without: Iterable[str]) -> tuple[str, ...]:
    return (*readers, RECOVERY) if manifest.recovery and RECOVERY not in set(without) else readers


def _continues(old: Reporter | None, new: Reporter) -> message.Continues | None:
    return message.continue_case(old.signing, old.case, new.case) if old else None
