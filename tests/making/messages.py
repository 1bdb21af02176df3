"""Vectors of Ed25519, of messages of every kind, of what `rest` holds and of a case that continues another."""

import datetime
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from nacl import bindings as nacl
from nacl.signing import SigningKey

from tests.making import cast
from tests.making.cast import DAY, PHOTO, REPORT, REPORTER, REST, STRANGER
from tests.making.vector import Vector, secret, told
from whistle.protocol import canonical, schema, signing
from whistle.protocol.age import X25519Identity, bech32
from whistle.protocol.case import attachment, continuation, message
from whistle.protocol.case.attachment import Attachment
from whistle.protocol.case.message import ByReporter, Message, Signed
from whistle.protocol.code import retrieval

ORDER = 2**252 + 27742317777372353535851937790883648493
ORDER_EIGHT = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
SMALL = {
    "one": bytes([1]) + bytes(31),
    "two": b"\xec" + b"\xff" * 30 + b"\x7f",
    "four": bytes(32),
    "eight": ORDER_EIGHT,
    "not_canonical": b"\xee" + b"\xff" * 30 + b"\x7f",
}
KEY = SigningKey(secret("signature"))
TEXT = b"whistle/v1 test\nmessage"
ONCE = "0123456789abcdef"


def _mixed_nonce(text: bytes) -> bytes:
    """A signature whose nonce has a part of order 8: verifiers that multiply by the cofactor accept it."""
    scalar = nacl.crypto_sign_ed25519_sk_to_curve25519(bytes(KEY) + bytes(KEY.verify_key))
    secret_scalar = nacl.crypto_core_ed25519_scalar_reduce(scalar + bytes(32))
    nonce = nacl.crypto_core_ed25519_scalar_reduce(secret("nonce", 64))
    point = nacl.crypto_core_ed25519_add(nacl.crypto_scalarmult_ed25519_base_noclamp(nonce), ORDER_EIGHT)
    asked = hashlib.sha512(point + bytes(KEY.verify_key) + text).digest()
    challenge = nacl.crypto_core_ed25519_scalar_reduce(asked)
    product = nacl.crypto_core_ed25519_scalar_mul(challenge, secret_scalar)
    return point + nacl.crypto_core_ed25519_scalar_add(nonce, product)


def signatures() -> Iterator[Vector]:
    """Signatures and keys that strict verification must refuse, and a valid one."""
    key, good = bytes(KEY.verify_key), KEY.sign(TEXT).signature
    beyond = (int.from_bytes(good[32:], "little") + ORDER).to_bytes(32, "little")
    trivial = SMALL["one"] + bytes(32)
    cases: list[tuple[str, str, str, bytes, bytes, bytes]] = [
        ("ok", "a good signature", "ok", key, TEXT, good),
        ("other_message", "over another message", "forged", key, TEXT + b".", good),
        ("other_key", "by another key", "forged", bytes(cast.COURIER.verify_key), TEXT, good),
        ("altered", "with one bit turned", "forged", key, TEXT, good[:5] + bytes([good[5] ^ 1]) + good[6:]),
        ("scalar_beyond_order", "with the group's order added to its scalar", "forged", key, TEXT, good[:32] + beyond),
        ("nonce_small_order", "with a nonce of small order", "forged", key, TEXT, trivial),
        ("nonce_mixed_order", "right only when multiplied by the cofactor", "forged", key, TEXT, _mixed_nonce(TEXT)),
        ("short", "of 63 bytes", "malformed", key, TEXT, good[:-1]),
        ("long", "of 65 bytes", "malformed", key, TEXT, good + b"\0"),
        ("key_short", "by a key of 31 bytes", "malformed", key[:-1], TEXT, good),
        ("key_not_on_curve", "by a key that is no point", "malformed", b"\x02" + bytes(31), TEXT, good),
        (
            "key_mixed_order",
            "by a key with a part of order 8",
            "malformed",
            nacl.crypto_core_ed25519_add(key, ORDER_EIGHT),
            TEXT,
            good,
        ),
    ]
    cases += [
        (f"key_small_order_{name}", "by a key of small order", "malformed", small, TEXT, trivial)
        for name, small in SMALL.items()
    ]
    for name, about, expect, public, text, signature in cases:
        given = {"key": public.hex(), "message": told(text), "signature": signature.hex()}
        yield Vector(f"signature_{name}", about, expect, given)


def described(name: str, about: str, expect: str, signed: Signed, key: bytes | None = None) -> Vector:
    """A vector of a line 1 and its signature; without ``key`` it is checked with the key that it names."""
    given: dict[str, Any] = {"line": told(signed.line), "signature": cast.base64_of(signed.signature)}
    if key:
        given["key"] = key.hex()
    output = {"hash": signed.hash} if expect == "ok" else {}
    return Vector(f"message_{name}", about, expect, given, output)


def _good() -> Iterator[tuple[str, str, Message]]:
    old = continuation.prove(STRANGER.signing, STRANGER.case, REPORTER.case)
    yield "report", "a short report", cast.report()
    full = cast.report(without=("counsel",), answers={"when": "yesterday", "where": ""}, attachments=(PHOTO,))
    yield "report_full", "a report with answers, a file and somebody left out", full
    yield "report_continues", "a report that continues another case", cast.report(continues=old)
    yield "report_rest", "a report whose content travels in an attachment", cast.report(text="", rest=REST)
    yield "report_no_readers", "a report that names nobody", cast.report(readers=())
    yield "report_64_readers", "as many readers as can be named", cast.report(readers=tuple(f"r{i}" for i in range(64)))
    yield (
        "report_other_scripts",
        "text in other scripts",
        cast.report(text="حدث ذلك ٣ مرات\n发生了三次 😀\u0000", language="ar"),
    )
    yield "follow_up", "a follow-up", cast.follow_up()
    how = {"check-in": "happened", "earlier": "1234-5678-9012"}
    yield "follow_up_check_in", "a follow-up that says how its writer is", cast.follow_up(text="", answers=how)
    yield "follow_up_arrival", "a follow-up that was sealed on arrival", cast.follow_up(sealed="arrival")
    yield "follow_up_answers", "a request for advice becomes a report", cast.follow_up(answers={"way": "report"})
    yield "follow_up_once", "a follow-up that differs from others of the same words", cast.follow_up(once=ONCE)
    yield "slip", "a slip", cast.slip(without=("counsel",))
    yield "slip_advice", "a slip of a request for advice", cast.slip(way="advice")
    yield "reply", "a reply", cast.reply()
    yield "reply_acknowledgement", "a reply that acknowledges receipt", cast.reply(mark="acknowledgement")
    yield "reply_feedback", "feedback that travels in an attachment", cast.reply(mark="feedback", text="", rest=REST)
    yield "reply_check_in", "a reply that asks the reporter how they are", cast.reply(mark="check-in")
    yield "reply_notice", "a reply without content, which tells who reads the case", cast.reply(text="")
    later = {"seq": 7, "prev": "ab" * 32, "seen": (), "lane": 31, "n": 63}
    yield "reply_replaces", "a reply whose place was taken, signed afresh", cast.reply(**later, replaces="cd" * 32)
    known = message.Earlier(DAY, "ethics", "ef" * 32, 2047)
    yield "reply_earlier", "a reply that names another one", cast.reply(earlier=(known,))
    yield "reply_earlier_64", "a reply that names as many as it can", cast.reply(earlier=(known,) * 64)
    yield "note", "a note", cast.note(attachments=(PHOTO,))
    away = message.Away(DAY, DAY + datetime.timedelta(days=14), "ethics")
    yield "note_away", "a note that tells of an absence, and of who stands in", cast.note(away=away)
    yield "note_away_alone", "an absence of one day, in which nobody stands in", cast.note(away=message.Away(DAY, DAY))
    risk = {"power": "yes", "guess": "unknown", "danger": "no"}
    yield "note_risk", "a check of the risk, to be looked at again", cast.note(text="", answers=risk, again=DAY)
    yield (
        "status",
        "a status with everything",
        cast.status(labels=("urgent", "sexual harassment"), deadline=DAY, claimed="ethics", text="why"),
    )
    planned = message.CheckIns((DAY, DAY.replace(year=DAY.year + 1)))
    yield "status_check_ins", "a status that plans check-ins", cast.status(check_ins=planned)
    yield "status_no_check_ins", "a status that plans none", cast.status(check_ins=message.CheckIns(()))
    yield "status_short", "a status with nothing beside", cast.status(status="new")
    yield "grant", "a grant with the report in it", cast.grant()
    yield "grant_rest", "a grant whose originals travel in an attachment", cast.grant(originals=(), rest=REST)


def _resigned(content: Message, change: Callable[[dict[str, Any]], Any]) -> Signed:
    """A message whose JSON was changed and signed again by the right key, so that the change is the only defect."""
    value = canonical.loads(message.encode(content))
    change(value)
    line = canonical.dumps(value)
    reporter = isinstance(content, ByReporter)
    key = REPORTER.signing if reporter else cast.SIGNERS["ombuds"].signing
    signature = signing.sign(key, f"whistle/v1 {value.get('kind')}\n".encode() + line)
    return Signed(line, signature, content)


def _set(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda value: value.update(changes)


def _drop(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda value: value.pop(name)


def _file(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda value: value["attachments"][0].update(changes)


def _sized(record: Attachment, size: int) -> dict[str, Any]:
    """A record that claims another size, with the matching number of blocks."""
    return {**schema.to_json(record), "size": size, "blocks": attachment.blocks_for(size)}


def _rest_instead(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda value: [
        value.pop("text"),
        value.pop("attachments"),
        value.update(rest={**schema.to_json(REST), **changes}),
    ]


def _mailbox(mlkem: bytes, point: bytes) -> Callable[[dict[str, Any]], Any]:
    """A mailbox of these two halves, and the case that it makes."""
    raw = mlkem + point
    case = retrieval.case_of(REPORTER.verify_key, raw, REPORTER.replies).hex()
    mailbox = bech32.encode("age1pq", raw)
    return lambda value: value.update(case=case, **{"from": {**value["from"], "mailbox": mailbox}})


def _last(text: str) -> str:
    """A text in Bech32 with another last character."""
    return text[:-1] + ("q" if text[-1] != "q" else "p")


HEX = "ab" * 32
DAY_TEXT = DAY.isoformat()
EARLIER = {"day": DAY_TEXT, "from": "ethics", "hash": HEX, "place": 0}
RAW = REPORTER.mailbox.recipient.raw
X25519 = X25519Identity(secret("x25519")).recipient.text
PQ_IDENTITY = cast.IDENTITIES["ombuds"][0].text
Change = tuple[str, Callable[[dict[str, Any]], Any]]
BAD_REPORTS: dict[str, Change] = {
    "unknown_field": ("a field that no report has", _set(more=1)),
    "missing_field": ("no channel", _drop("channel")),
    "empty_text": ("an empty text stands there", _set(text="")),
    "empty_attachments": ("an empty list of attachments stands there", _set(attachments=[])),
    "empty_answers": ("an object of no answers stands there", _set(answers={})),
    "null_rest": ("null for what is absent", _set(rest=None)),
    "version_2": ("version 2", _set(v=2)),
    "version_true": ("true for the version", _set(v=True)),
    "version_missing": ("no version", _drop("v")),
    "kind_unknown": ("a kind that there is not", _set(kind="rumour")),
    "kind_other": ("a report's fields as a slip", _set(kind="slip")),
    "kind_missing": ("no kind", _drop("kind")),
    "reader_twice": ("a reader named twice", _set(readers=["ombuds", "ombuds"])),
    "reader_left_out": ("somebody named as reader and as left out", _set(without=["ethics"])),
    "65_readers": ("one reader more than can be named", _set(readers=[f"r{i}" for i in range(65)])),
    "reader_upper_case": ("a reader's id in capitals", _set(readers=["Ombuds"])),
    "reader_33_letters": ("a reader's id of 33 letters", _set(readers=["a" * 33])),
    "reader_hyphen": ("a reader's id that begins with a hyphen", _set(readers=["-a"])),
    "reader_line_end": ("a reader's id with a line end", _set(readers=["ombuds\n"])),
    "readers_text": ("a text for the list of readers", _set(readers="ombuds")),
    "day_impossible": ("30 February", _set(day="2026-02-30")),
    "day_short": ("a day without its zero", _set(day="2026-11-2")),
    "day_1999": ("a day before the year 2000", _set(day="1999-12-31")),
    "day_3000": ("a day after the year 2999", _set(day="3000-01-01")),
    "day_with_time": ("a time of day", _set(day="2026-11-22T10:00")),
    "day_week": ("a day by its week", _set(day="2026-W47-7")),
    "sealed_elsewhere": ("sealed where nobody seals", _set(sealed="cloud")),
    "case_upper_case": ("a case in capitals", lambda value: value.update(case=value["case"].upper())),
    "case_short": ("a case of 31 bytes", lambda value: value.update(case=value["case"][2:])),
    "case_of_other_keys": ("a case that is not that of its keys", _set(case=HEX)),
    "mailbox_x25519": ("a mailbox that is not post-quantum", lambda value: value["from"].update(mailbox=X25519)),
    "mailbox_upper_case": (
        "a mailbox in capitals",
        lambda value: value["from"].update(mailbox=value["from"]["mailbox"].upper()),
    ),
    "mailbox_checksum": (
        "a mailbox with a wrong checksum",
        lambda value: value["from"].update(mailbox=_last(value["from"]["mailbox"])),
    ),
    "mailbox_not_mlkem": ("a mailbox whose first half is no key of ML-KEM", _mailbox(b"\xff" * 1184, RAW[1184:])),
    "mailbox_small_order": ("a mailbox whose second half has small order", _mailbox(RAW[:1184], bytes(32))),
    "from_more": ("a field that no sender has", lambda value: value["from"].update(name="x")),
    "from_reviewer": ("a reviewer as sender of a report", _set(**{"from": "ombuds"})),
    "keys_serial_0": ("a manifest's serial 0", _set(keys={"serial": 0, "hash": HEX})),
    "keys_serial_true": ("true for a manifest's serial", _set(keys={"serial": True, "hash": HEX})),
    "language_upper_case": ("a language in capitals", _set(language="pt-BR")),
    "answer_number": ("a number as an answer", _set(answers={"when": 3})),
    "question_upper_case": ("a question's id in capitals", _set(answers={"When": "3"})),
    "continues_signature_short": (
        "a short signature of the old key",
        _set(continues={"case": HEX, "sign": HEX, "signature": "AAAA"}),
    ),
    "rest_and_text": ("rest and text", _set(rest=schema.to_json(REST))),
    "rest_is_file": ("a file as rest", _rest_instead(kind="file")),
    "rest_with_a_name": ("a rest with a name", _rest_instead(name="rest.json")),
    "rest_type": ("a rest of another type", _rest_instead(type="text/html")),
    "rest_too_long": ("a rest of more than 16 MiB", _rest_instead(**_sized(REST, 2**24 + 1))),
    "attachment_rest": ("a rest among the files", _set(attachments=[schema.to_json(REST)])),
    "attachments_too_large": ("files of more than 64 GiB together", _set(attachments=[_sized(PHOTO, 2**35)] * 3)),
    "attachment_too_large": ("a file of more than 64 GiB", _file(**_sized(PHOTO, 2**36 + 1))),
    "attachment_blocks": ("a number of blocks that the size does not give", _file(blocks=2)),
    "attachment_size_negative": ("a negative size", _file(size=-1)),
    "attachment_header_short": ("a header of 183 bytes", _file(header=cast.base64_of(bytes(183)))),
    "attachment_header_not_canonical": (
        "a header whose base64 has spare bits",
        lambda value: _file(header=value["attachments"][0]["header"].replace("==", "")[:-1] + "/==")(value),
    ),
    "attachment_identity_pq": ("an identity of the other kind", _file(identity=PQ_IDENTITY)),
    "attachment_identity_lower_case": ("an identity in lower case", _file(identity=PHOTO.identity.lower())),
    "attachment_name_long": ("a name of 256 characters", _file(name="x" * 256)),
    "attachment_type_long": ("a type of 128 characters", _file(type="x" * 128)),
    "attachment_sha256_short": ("a hash of 31 bytes", _file(sha256="00" * 31)),
    "attachment_more": ("a field that no attachment has", _file(path="/tmp")),
}
BAD_FOLLOW_UPS: dict[str, Change] = {
    "once_short": ("seven bytes to tell it from another", _set(once=ONCE[2:])),
    "once_long": ("nine bytes to tell it from another", _set(once=ONCE + "00")),
    "once_upper_case": ("capitals in what tells it from another", _set(once=ONCE.upper())),
    "once_number": ("a number to tell it from another", _set(once=1234567890123456)),
    "once_empty": ("an empty text to tell it from another, which is left out", _set(once="")),
    "once_null": ("null for nothing that tells it from another", _set(once=None)),
}
BAD_REPLIES: dict[str, Change] = {
    "seq_0_with_prev": ("the first of a chain with one before it", _set(prev=HEX)),
    "seq_1_without_prev": ("a later one of a chain with none before it", _set(seq=1)),
    "seq_negative": ("a negative number in the chain", _set(seq=-1, prev=HEX)),
    "seq_true": ("true for a number in the chain", _set(seq=True, prev=HEX)),
    "seen_twice": ("a message seen twice", _set(seen=[HEX, HEX])),
    "seen_65": ("more seen than can be told", _set(seen=[f"{i:064x}" for i in range(65)])),
    "lane_32": ("a lane past the last", _set(lane=32)),
    "n_64": ("a place past the last of its lane", _set(n=64)),
    "have_0": ("no message had arrived", _set(have={"count": 0, "day": "2026-11-22"})),
    "to_x25519": ("sealed to a mailbox that is not post-quantum", _set(to=X25519)),
    "earlier_place_2048": ("a place past the last lane", _set(earlier=[{**EARLIER, "place": 2048}])),
    "earlier_no_hash": (
        "an earlier reply without its hash",
        _set(earlier=[{"place": 0, "day": DAY_TEXT, "from": "a"}]),
    ),
    "earlier_more": ("a field that no earlier reply has", _set(earlier=[{**EARLIER, "text": "x"}])),
    "earlier_empty": ("an empty list of earlier replies, which is left out", _set(earlier=[])),
    "earlier_65": ("one earlier reply more than can be named", _set(earlier=[EARLIER] * 65)),
    "replaces_short": ("a replaced message's hash of 31 bytes", _set(replaces="ab" * 31)),
    "from_missing": ("no sender", _drop("from")),
    "answers": ("a field that replies do not have", _set(answers={"a": "b"})),
    "mark_unknown": ("a mark that there is not", _set(mark="thanks")),
    "mark_empty": ("an empty mark, which is left out", _set(mark="")),
    "receipt_without_mark": (
        "a receipt where there is no mark",
        _set(receipt={"received": DAY.isoformat(), "signature": "untrusted comment: "}),
    ),
    "mark_without_content": (
        "a mark where there is no content",
        lambda value: (value.pop("text"), value.update(mark="feedback")),
    ),
    "notice_left_out": (
        "names somebody who was left out as a reader",
        lambda value: (value.pop("text"), value.update(without=["ethics"])),
    ),
}
BAD_STATUSES: dict[str, Change] = {
    "unknown": ("a status that there is not", _set(status="lost")),
    "label_twice": ("a label twice", _set(labels=["a", "a"])),
    "deadline_null": ("null for no deadline", _set(deadline=None)),
    "check_ins_null": ("null for no plan of check-ins", _set(check_ins=None)),
    "check_ins_empty": ("a plan of check-ins without its list", _set(check_ins={})),
    "check_ins_list": ("a list of days for a plan of check-ins", _set(check_ins=[DAY_TEXT])),
    "check_ins_twice": ("a check-in planned twice for a day", _set(check_ins={"days": [DAY_TEXT, DAY_TEXT]})),
    "check_ins_17": (
        "one check-in more than can be planned",
        _set(check_ins={"days": [f"2027-01-{day:02}" for day in range(1, 18)]}),
    ),
    "rest": ("a status never has a rest", _set(rest=schema.to_json(REST))),
}
AWAY = {"first": DAY_TEXT, "last": DAY_TEXT}
BAD_NOTES: dict[str, Change] = {
    "away_backwards": ("an absence that ends before it begins", _set(away={**AWAY, "last": "2026-01-01"})),
    "away_without_end": ("an absence without its last day", _set(away={"first": DAY_TEXT})),
    "away_cover_empty": ("an empty id of whoever stands in, which is left out", _set(away={**AWAY, "cover": ""})),
    "away_more": ("a field that no absence has", _set(away={**AWAY, "why": "ill"})),
    "away_null": ("null for no absence", _set(away=None)),
    "again_empty": ("an empty text for the day on which to look again", _set(again="")),
    "answers_empty": ("an object of no answers stands there", _set(answers={})),
    "mark": ("a field that only replies have", _set(mark="feedback")),
}
BAD_GRANTS: dict[str, Change] = {
    "grantee_not_named": ("sealed to others than whom it lets in", _set(readers=["ombuds", "ethics"])),
    "grantee_left_out": ("lets in somebody who was left out", _set(without=["counsel"])),
    "original_more": ("a field that no original has", lambda value: value["originals"][0].update(day="2026-11-22")),
    "original_signature_short": (
        "an original with a short signature",
        lambda value: value["originals"][0].update(signature="AAAA"),
    ),
}


def _bad() -> Iterator[Vector]:
    groups: list[tuple[str, Message, dict[str, Change]]] = [
        ("report", cast.report(attachments=(PHOTO,)), BAD_REPORTS),
        ("follow_up", cast.follow_up(), BAD_FOLLOW_UPS),
        ("reply", cast.reply(), BAD_REPLIES),
        ("status", cast.status(labels=("a",)), BAD_STATUSES),
        ("note", cast.note(), BAD_NOTES),
        ("grant", cast.grant(), BAD_GRANTS),
    ]
    for kind, content, changes in groups:
        key = None if isinstance(content, ByReporter) else cast.SIGNERS["ombuds"].public.key
        for name, (about, change) in changes.items():
            yield described(f"{kind}_bad_{name}", about, "malformed", _resigned(content, change), key)


def _wrongly_signed() -> Iterator[Vector]:
    good, key = cast.signed_by(cast.reply()), cast.SIGNERS["ombuds"].public.key
    yield described(
        "reply_by_another", "a reply signed by another reviewer", "forged", cast.signed_by(good.message, "ethics"), key
    )
    yield described("report_by_another", "a report signed by another key", "forged", cast.signed_by(cast.report()))
    label = signing.sign(REPORTER.signing, b"whistle/v1 follow-up\n" + REPORT.line)
    yield described(
        "report_label", "signed as a message of another kind", "forged", Signed(REPORT.line, label, REPORT.message)
    )
    bare = signing.sign(REPORTER.signing, REPORT.line)
    yield described("report_no_label", "signed without a label", "forged", Signed(REPORT.line, bare, REPORT.message))
    other = message.encode(cast.report(text="It never happened."))
    yield described(
        "report_altered", "a text altered after signing", "forged", Signed(other, REPORT.signature, REPORT.message)
    )
    spaced = REPORT.line.replace(b'":', b'": ', 1)
    yield described(
        "report_not_canonical",
        "a space in line 1",
        "malformed",
        Signed(spaced, signing.sign(REPORTER.signing, b"whistle/v1 report\n" + spaced), REPORT.message),
    )
    yield described(
        "report_signature_short", "63 bytes", "malformed", Signed(REPORT.line, REPORT.signature[:-1], REPORT.message)
    )
    yield _small_order_sender()


def _small_order_sender() -> Vector:
    """Sender keys for which anybody could sign."""
    small = SMALL["one"]
    case = retrieval.case_of(small, REPORTER.mailbox.recipient.raw, REPORTER.replies).hex()
    named = cast.report(case=case, sender=replace(cast.sender(), sign=small.hex()))
    signed = Signed(message.encode(named), small + bytes(32), named)
    return described("report_sign_small_order", "signed by a key of small order", "malformed", signed)


def rests() -> Iterator[Vector]:
    """What an attachment `rest` holds, put back in its message."""
    folded = message.encode(cast.report(text="", rest=REST))
    cases: list[tuple[str, str, bytes]] = [
        ("ok", "a text and answers", b'{"answers":{"when":"now"},"text":"hello"}'),
        ("bad_unknown_field", "a field that is no content", b'{"language":"fr","text":"hello"}'),
        ("bad_originals_in_report", "content of another kind of message", b'{"originals":[],"text":"hello"}'),
        ("bad_empty_field", "an empty text", b'{"answers":{"when":"now"},"text":""}'),
        ("bad_not_canonical", "a space", b'{"text": "hello"}'),
        ("bad_list", "a list", b'["hello"]'),
        ("bad_empty", "no field at all", b"{}"),
        ("bad_rest_within", "another rest", canonical.dumps({"rest": schema.to_json(REST)})),
    ]
    for name, about, content in cases:
        given = {"line": told(folded), "content": told(content)}
        if name == "ok":
            whole = message.with_content(cast.report(text="", rest=REST), content)
            yield Vector("rest_ok", about, "ok", given, {"whole": told(message.encode(whole))})
        else:
            yield Vector(f"rest_{name}", about, "malformed", given)


def continued() -> Iterator[Vector]:
    """The proof that whoever held the old words began the new case."""
    proof = continuation.prove(STRANGER.signing, STRANGER.case, REPORTER.case)
    other = continuation.prove(STRANGER.signing, STRANGER.case, bytes(32))
    thief = continuation.prove(REPORTER.signing, STRANGER.case, REPORTER.case)
    cases = [
        ("ok", "signed by the old key", "ok", proof),
        ("other_case", "signed for another new case", "forged", other),
        ("other_key", "signed by a key that is not the old case's", "forged", thief),
        ("bad_signature", "a signature of another", "forged", replace(proof, signature=other.signature)),
    ]
    for name, about, expect, continues in cases:
        given = {
            "continues": schema.to_json(continues),
            "old": schema.to_json(cast.sender(STRANGER)),
            "case": REPORTER.case.hex(),
        }
        yield Vector(f"continues_{name}", about, expect, given)


def vectors() -> Iterator[Vector]:
    """All of this module."""
    yield from signatures()
    for name, about, content in _good():
        if isinstance(content, ByReporter):
            yield described(name, about, "ok", cast.signed_by_reporter(content))
        else:
            yield described(name, about, "ok", cast.signed_by(content), cast.SIGNERS["ombuds"].public.key)
    yield from _bad()
    yield from _wrongly_signed()
    yield from rests()
    yield from continued()
