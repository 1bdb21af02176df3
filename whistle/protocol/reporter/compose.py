"""Turns what a reporter wrote into a sealed report with its slip, or a follow-up, wherever that is done.

Refuses messages that nobody could read, that contain the twelve words, or that are empty (SPEC 2.3, 4).
"""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from whistle.protocol.age import HybridRecipient, Throwaway
from whistle.protocol.case import continuation, envelope, message
from whistle.protocol.case.attachment import Attachment, Block
from whistle.protocol.case.message import MAX_TEXT, FollowUp, Message, Report, Sender, Slip
from whistle.protocol.code import words
from whistle.protocol.code.retrieval import Reporter
from whistle.protocol.errors import Malformed, ProtocolError
from whistle.protocol.invisible_text import is_blank
from whistle.protocol.reporter import submission
from whistle.protocol.reporter.questions import ADVICE, BESIDE, WAY
from whistle.protocol.reporter.reply_validation import Conversation
from whistle.protocol.reporter.submission import Submission
from whistle.protocol.trust.manifest import RECOVERY, Channel, Manifest, SignedManifest
from whistle.protocol.trust.manifest_chain import offered, people

M = TypeVar("M", bound=Message)


class Refused(ProtocolError):
    """A message was not sealed, for a reason that its writer can correct."""


class HoldsWords(Refused):
    """The text contains the reporter's twelve words, which nobody else may see."""


class HoldsSealedReport(Refused):
    """A text is a sealed report, or part of one: it would travel inside another report, under other words."""


class Empty(Refused):
    """There is neither text, nor an answer, nor a file."""


class NobodyLeft(Refused):
    """Everybody who could read it was left out or is no longer active."""


class TooLong(Refused):
    """A message does not fit into its envelope, for example because too many people are left out."""


@dataclass(frozen=True)
class Continued:
    """The case that a report continues under new words: its reporter, and its slip, which says who was left out."""

    reporter: Reporter
    slip: Slip


@dataclass(frozen=True)
class Draft:
    """What a reporter wrote.  `blocks` are the ids of the attachments' blocks, which the server already has.

    `readers`: whom the reporter chose; empty for those of the channel or, in a follow-up, of the case.
    `continues`: the case under the old words, if somebody saw those; whom it left out stays left out (SPEC 4.6).
    """

    channel: str
    language: str
    text: str
    answers: Mapping[str, str] = field(default_factory=dict)
    readers: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    blocks: tuple[bytes, ...] = ()
    continues: Continued | None = None


@dataclass(frozen=True)
class Writer:
    """Seals messages by a manifest, on a day; `where` is what they say about where that was done.

    `throwaways` are recipients whose identities nobody has; fresh ones are made if there are too few.
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
        whole = _make(
            Report,
            shared,
            channel=draft.channel,
            text=lines(draft.text),
            answers=_answers(draft),
            attachments=draft.attachments,
            continues=_continues(draft.continues, reporter),
        )
        body, rest = self._seal(whole, reporter, self._recipients(readers))
        way = ADVICE if draft.answers.get(WAY) == ADVICE else ""
        slip = _make(Slip, shared, channel=draft.channel, way=way)
        slip_body, _ = self._seal(slip, reporter, [reporter.mailbox.recipient])
        return Submission(reporter.report_token, (body, slip_body), tuple(rest))

    def follow_up(
        self, draft: Draft, reporter: Reporter, case: Conversation | None, attempt: bytes, digest: bytes
    ) -> Submission:
        """A follow-up to those who read the case, or to `draft.readers`.  Raises Refused as `report` does.

        `attempt` and `digest`, 32 bytes each, identify the form: the same two give the same follow-up.
        """
        check(draft, reporter.code)
        readers, without = self.follow_up_readers(draft, case)
        shared = self._shared(draft, reporter, readers, without)
        whole = _make(
            FollowUp,
            shared,
            text=lines(draft.text),
            answers=_answers(draft),
            attachments=draft.attachments,
            once=reporter.once(attempt),
        )
        body, rest = self._seal(whole, reporter, self._recipients(readers))
        return Submission(reporter.follow_up_token(attempt, digest), (body,), tuple(rest))

    def readers(self, draft: Draft) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Who reads a report, and who was left out.  Raises NobodyLeft."""
        manifest = self.known.manifest
        before = draft.continues.slip.without if draft.continues else ()
        without = listed(manifest, (*draft.without, *before))
        chosen = self._sealable(draft.readers, without) or readers_of(manifest, draft.channel, without)
        return self._at_least_one(chosen, without), without

    def follow_up_readers(self, draft: Draft, case: Conversation | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Who reads a follow-up, and who was left out.  Raises NobodyLeft."""
        manifest = self.known.manifest
        without = case.slip.without if case and case.slip else listed(manifest, draft.without)
        usual = follow_up_readers(case, manifest) if case else ()
        return self._at_least_one(self._sealable(draft.readers, without) or usual, without), without

    def _at_least_one(self, readers: Iterable[str], without: Iterable[str]) -> tuple[str, ...]:
        left = self._sealable(readers, without)
        if not any(id != RECOVERY for id in left):
            raise NobodyLeft("nobody is left to read it")
        return left

    def _sealable(self, readers: Iterable[str], without: Iterable[str]) -> tuple[str, ...]:
        """Those to whom one can seal on the day and who were not left out, at most as many as there are slots."""
        manifest = self.known.manifest
        able = {reviewer.id for reviewer in offered(manifest, self.day)} | ({RECOVERY} if manifest.recovery else set())
        left = [id for id in dict.fromkeys(readers) if id in able - set(without)]
        return tuple(left[: manifest.slots])

    def _recipients(self, readers: Iterable[str]) -> list[HybridRecipient]:
        return self.known.manifest.recipients(readers, self.day)

    def _shared(
        self, draft: Draft, reporter: Reporter, readers: tuple[str, ...], without: tuple[str, ...]
    ) -> dict[str, Any]:
        """The fields that a report and its slip have in common."""
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
    """Raise Refused for a draft that is empty, too long, or contains a sealed report or a code: any, or ``code`` alone.

    ``files`` is how many more attachments will follow.
    """
    texts = [draft.text, *draft.answers.values()]
    content = [draft.text, *(text for id, text in draft.answers.items() if id not in BESIDE)]
    if not draft.attachments and not files and all(map(is_blank, content)):
        raise Empty("there is neither text nor a file")
    if any(len(text) > MAX_TEXT for text in texts):
        raise TooLong("a text is too long")
    if any(map(submission.is_armored, texts)):
        raise HoldsSealedReport("a text is a sealed report, or part of one")
    if any(words.holds_code(text, code) for text in texts):
        raise HoldsWords("the text contains the twelve words")


def readers_of(manifest: Manifest, channel: str, without: Iterable[str]) -> tuple[str, ...]:
    """Who reads a report to a channel, less ``without``: reviewers, then the recovery identity if there is one.

    Empty if no reviewer is left, even if the recovery identity is.
    """
    listed = manifest.channel(channel)
    readers = tuple(id for id in listed.readers if id not in set(without)) if listed else ()
    return _with_recovery(manifest, readers, without) if readers else ()


def channels_for(manifest: Manifest, way: str) -> tuple[Channel, ...]:
    """The channels to choose from: who asks for advice has the one of that name alone, if there is one, and no others.

    Where nothing else is left, all of them.
    """
    advice = [each for each in manifest.channels if each.id == ADVICE]
    left = advice if way == ADVICE else [each for each in manifest.channels if each not in advice]
    return tuple(left) or manifest.channels


def follow_up_readers(case: Conversation, manifest: Manifest) -> tuple[str, ...]:
    """Who reads a follow-up: the active readers of the slip, notices and replies, less those left out.

    Nobody if there is no slip, since no reply can be trusted to say who was left out (SPEC 4.7).
    """
    if case.slip is None:
        return ()
    without = set(case.slip.without)
    active = {reviewer.id for reviewer in manifest.active()} - without
    readers = tuple(id for id in case.named if id in active)
    room = manifest.slots - (manifest.recovery is not None)
    return _with_recovery(manifest, readers[:room], without) if readers else ()


def listed(manifest: Manifest, ids: Iterable[str]) -> tuple[str, ...]:
    """Those of the ids that the manifest lists, each once, sorted."""
    return tuple(sorted(people(manifest) & set(ids)))


def lines(text: str) -> str:
    """The text with LF as the only line end; browsers send CR LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _answers(draft: Draft) -> dict[str, str] | None:
    return {id: lines(text) for id, text in draft.answers.items() if not is_blank(text)} or None


def _make(kind: type[M], shared: dict[str, Any], **more: Any) -> M:
    return kind(**shared, **more)


def _with_recovery(manifest: Manifest, readers: tuple[str, ...], without: Iterable[str]) -> tuple[str, ...]:
    return (*readers, RECOVERY) if manifest.recovery and RECOVERY not in set(without) else readers


def _continues(old: Continued | None, new: Reporter) -> message.Continues | None:
    return continuation.prove(old.reporter.signing, old.reporter.case, new.case) if old else None
