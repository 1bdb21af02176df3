"""The vectors: each gives the result that it states, and making them again gives the same files."""

import base64
import dataclasses
import datetime
import hashlib
import json
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest

from tests import make_vectors
from tests.make_vectors import FOLDER, KEPT
from whistle.protocol import age, canonical, file_names, invisible_text, schema, signing
from whistle.protocol.case import attachment, continuation, envelope, message
from whistle.protocol.case.message import ByReporter, Continues, Reply, Report, Sender, Signed, Slip
from whistle.protocol.code import retrieval, words
from whistle.protocol.code.retrieval import FormDigest, derive, place_ids
from whistle.protocol.errors import Expired, Forged, Malformed, NotForMe, ProtocolError
from whistle.protocol.reporter import missing_replies, submission
from whistle.protocol.reporter.reply_validation import ReplyValidator
from whistle.protocol.transfer import bundle, courier_auth, statement
from whistle.protocol.transfer.statement import ImportStatement
from whistle.protocol.trust import enrolment, manifest
from whistle.protocol.trust.manifest import SignedManifest
from whistle.protocol.trust.manifest_chain import ManifestChain
from whistle.protocol.trust.minisign import PublicKey

Given = dict[str, Any]
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
OUTCOMES = {Malformed: "malformed", Forged: "forged", NotForMe: "not-for-me", Expired: "expired"}


class NotNamed(ProtocolError):
    """It was sealed to somebody whom it does not name."""


def data(given: dict[str, str]) -> bytes:
    """The bytes that a record tells of."""
    if "file" in given:
        return (FOLDER / given["file"]).read_bytes()
    return bytes.fromhex(given["hex"]) if "hex" in given else given["text"].encode()


def run_words(given: Given) -> Given:
    """Reads what was typed."""
    return {"code": words.decode(given["typed"]).hex()}


def run_holds(given: Given) -> Given:
    """Looks for a code in a text."""
    code = bytes.fromhex(given["code"]) if "code" in given else None
    return {"holds": words.holds_code(given["text"], code)}


def run_shown(given: Given) -> Given:
    """Says whether a text shows anything, and whether it may be a sealed report."""
    return {"blank": invisible_text.is_blank(given["text"]), "sealed": submission.is_armored(given["text"])}


def run_name(given: Given) -> Given:
    """Makes a file's name safe."""
    return {"safe": file_names.safe_name(given["name"])}


def run_code(given: Given) -> Given:
    """Writes a code."""
    code = bytes.fromhex(given["code"])
    return {"numbers": words.numbers(code), "words": {each: words.encode(code, each) for each in words.LANGUAGES}}


def run_derive(given: Given) -> Given:
    """Derives everything."""
    who = derive(bytes.fromhex(given["code"]))
    follow_up = who.follow_up_token(bytes.fromhex(given["attempt"]), bytes.fromhex(given["digest"]))
    lanes, lookups = (0, 1, 15, 255), (2, 8, 16)
    return {
        "mailbox_seed": who.mailbox.seed.hex(),
        "mailbox": who.mailbox.recipient.text,
        "sign_seed": bytes(who.signing).hex(),
        "sign": who.verify_key.hex(),
        "sent": who.sent.hex(),
        "replies": who.replies.hex(),
        "case": who.case.hex(),
        "reference": retrieval.reference(who.case),
        "report_token": who.report_token.hex(),
        "report_id": who.report_id.hex(),
        "slip_id": who.slip_id.hex(),
        "follow_up_token": follow_up.hex(),
        "follow_up_id": retrieval.message_id(follow_up).hex(),
        "once": who.once(bytes.fromhex(given["attempt"])),
        "first_place_id": place_ids(who.replies, 0)[0].hex(),
        "last_place_id_of_lane_15": place_ids(who.replies, 15)[63].hex(),
        "lane_sha256": {str(n): hashlib.sha256(b"".join(place_ids(who.replies, n))).hexdigest() for n in lanes},
        "lookup_sha256": {str(n): hashlib.sha256(b"".join(who.lookup_ids(n))).hexdigest() for n in lookups},
    }


def run_form(given: Given) -> Given:
    """Takes a form in."""
    form = FormDigest()
    for kind, first, second in given["parts"]:
        if kind == "field":
            form.field(first, second.encode())
        else:
            form.file(first, bytes.fromhex(second))
    digest = form.digest()
    return {"digest": digest.hex(), "code": retrieval.code_for(bytes.fromhex(given["attempt"]), digest).hex()}


def run_canonical(given: Given) -> Given:
    """Reads, and writes again."""
    found = data(given["data"])
    assert canonical.dumps(canonical.loads(found)) == found
    return {}


def run_signature(given: Given) -> Given:
    """Verifies a signature."""
    signing.verify(bytes.fromhex(given["key"]), data(given["message"]), bytes.fromhex(given["signature"]))
    return {}


def checked(signed: Signed, given: Given) -> Signed:
    """The same after its signature was checked."""
    if given.get("key"):
        message.check(signed, bytes.fromhex(given["key"]))
    else:
        message.check_reporter(signed)
    return signed


def run_message(given: Given) -> Given:
    """Reads line 1 and checks its signature."""
    line = data(given["line"])
    found = message.parse(line)
    assert message.encode(found) == line
    return {"hash": checked(Signed(line, base64.b64decode(given["signature"]), found), given).hash}


def run_rest(given: Given) -> Given:
    """Puts content back."""
    folded = message.parse(data(given["line"]))
    assert isinstance(folded, Report)
    return {"whole": {"text": message.encode(message.with_content(folded, data(given["content"]))).decode()}}


def run_continues(given: Given) -> Given:
    """Checks the proof."""
    continues, old = schema.parse(Continues, given["continues"]), schema.parse(Sender, given["old"])
    continuation.check(continues, old, given["case"])
    return {}


def run_missing(given: Given) -> Given:
    """Compares what replies name with what was found."""
    held = {hashlib.sha256(data(each)).hexdigest(): message.parse(data(each)) for each in given["held"]}
    replies = {hash_: reply for hash_, reply in held.items() if isinstance(reply, Reply)}
    assert len(replies) == len(given["held"])
    slip = message.parse(data(given["slip"])) if given["slip"] else None
    assert slip is None or isinstance(slip, Slip)
    today = datetime.date.fromisoformat(given["today"])
    found = missing_replies.compare(replies, given["unreadable"], slip, given["slots"], today)
    return {"found": [dataclasses.asdict(each) for each in found]}


def run_reply(given: Given) -> Given:
    """Checks a reply in its place."""
    slip = message.parse(data(given["slip"])) if given["slip"] else None
    assert slip is None or isinstance(slip, Slip)
    texts = [data(each) for each in given["manifests"]]
    chain = ManifestChain(tuple(SignedManifest(text, b"", manifest.parse(text)) for text in texts))
    validator = ReplyValidator(derive(bytes.fromhex(given["code"])), chain, slip, given["slots"])
    line = data(given["line"])
    signed = Signed(line, base64.b64decode(given["signature"]), message.parse(line))
    stored = datetime.date.fromisoformat(given["stored"])
    reply = validator.check(signed, (given["lane"], given["n"]), stored)
    receipt = validator.receipt(reply, stored)
    return {"by": reply.sender, "receipt": receipt and receipt.text}


def run_envelope(given: Given) -> Given:
    """Opens an envelope as a reader or a reporter does."""
    identities = [age.HybridIdentity.from_text(text) for text in given["identities"]]
    signed = checked(envelope.open_(data(given["envelope"]), identities, given["slots"]), given)
    found, reader = signed.message, given["reader"]
    if reader and (reader not in found.readers or reader in found.without):
        raise NotNamed
    assert isinstance(found, ByReporter) != ("key" in given)
    return {"line": {"text": signed.line.decode()}, "hash": signed.hash}


def run_attachment(given: Given) -> Given:
    """Opens an attachment."""
    record = schema.parse(attachment.Attachment, given["record"])
    opener = attachment.Opener(record)
    content = b""
    for each in given["blocks"]:
        block = bytearray(data(each))
        if "flip" in each:
            block[each["flip"]] ^= 1
        content += opener.update(bytes(block))
    content += opener.finish()
    ids = [id.hex() for id in attachment.block_ids(record)]
    return {"ids": ids, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def run_blocks(given: Given) -> Given:
    """Counts blocks or names them."""
    if "sizes" in given:
        return {"blocks": {str(size): attachment.blocks_for(size) for size in given["sizes"]}}
    seed = bytes.fromhex(given["seed"])
    return {"ids": {str(index): attachment.block_id(seed, index).hex() for index in given["indexes"]}}


def run_manifest(given: Given) -> Given:
    """Verifies a manifest."""
    roots = [PublicKey.from_text(text) for text in given["roots"]]
    known = manifest.verify(data(given["manifest"]), data(given["signature"]), roots)
    found, day = known.manifest, datetime.date.fromisoformat(given["day"])
    assert manifest.encode(found) == known.data
    recipients = {}
    for reviewer in found.active():
        try:
            recipients[reviewer.id] = reviewer.recipient(day).text
        except Expired:
            continue
    return {
        "hash": known.hash,
        "serial": found.serial,
        "standing": found.standing(day),
        "warning": found.warning(day),
        "recipients": recipients,
    }


def run_chain(given: Given) -> Given:
    """Lets one manifest follow another."""
    seen, new = (
        manifest.SignedManifest(data(given[name]), b"", manifest.parse(data(given[name]))) for name in ("seen", "new")
    )
    manifest.check_next(seen, new)
    return {}


def run_signers(given: Given) -> Given:
    """Asks whose signatures count."""
    files = [data(each) for each in given["manifests"]]
    known = tuple(manifest.SignedManifest(file, b"", manifest.parse(file)) for file in files)
    day = datetime.date.fromisoformat(given["day"])
    keys = ManifestChain(known).signing_keys(given["reviewer"], day)
    return {"keys": sorted(key.hex() for key in keys)}


def run_fingerprint(given: Given) -> Given:
    """Computes the fingerprint."""
    return {"digits": manifest.fingerprint([PublicKey.from_text(text) for text in given["roots"]])}


def run_minisign(given: Given) -> Given:
    """Verifies a signature file."""
    return {"comment": PublicKey.from_text(given["key"]).verify(data(given["data"]), data(given["signature"]))}


def run_publickey(given: Given) -> Given:
    """Reads a public key."""
    key = PublicKey.from_text(given["text"])
    return {"id": key.key_id.hex(), "key": key.key.hex()}


def run_enrolment(given: Given) -> Given:
    """Reads an enrolment file."""
    file = data(given["file"])
    return {"kind": enrolment.read(file).kind, "digits": enrolment.digits(file)}


def run_pasted(given: Given) -> Given:
    """Reads a sealed report as text, and opens both of its envelopes."""
    found = submission.dearmor(data(given["text"]).decode(), given["slots"])
    identities = [age.HybridIdentity.from_text(text) for text in given["identities"]]
    opened = [envelope.open_(body, identities, given["slots"]) for body in found.envelopes]
    return {
        "token": found.token.hex(),
        "hashes": [signed.hash for signed in opened],
        "blocks": {id.hex(): hashlib.sha256(block).hexdigest() for id, block in found.blocks},
    }


def run_bundle(given: Given) -> Given:
    """Reads a bundle."""
    return {"names": [member.name for member in bundle.verify(BytesIO(data(given["bundle"]))).members]}


def run_statement(given: Given) -> Given:
    """Checks a statement."""
    ImportStatement.from_record(given["record"]).check(bytes.fromhex(given["key"]))
    return {}


def run_dayhash(given: Given) -> Given:
    """Computes the hash of a day."""
    return {"hash": statement.day_hash((bytes.fromhex(id), bytes.fromhex(sha)) for id, sha in given["held"]).hex()}


def run_request(given: Given) -> Given:
    """Checks a courier's request."""
    asked = (given["method"], given["path"], given["time"], given["digest"])
    key, signature = bytes.fromhex(given["key"]), bytes.fromhex(given["signature"])
    courier_auth.check_request(key, *asked, signature, given["now"])
    return {}


RUNS: dict[str, Callable[[Given], Given]] = {
    name.removeprefix("run_"): function for name, function in list(globals().items()) if name.startswith("run_")
}


def outcome(area: str, given: Given) -> tuple[str, Given]:
    """The result of a vector in this implementation."""
    try:
        output = RUNS[area](given)
    except words.WordsError as error:
        told = {"reason": error.reason, "found": error.found, "word": error.word}
        return "malformed", {
            name: value for name, value in told.items() if value or (name, error.reason) == ("found", "count")
        }
    except NotNamed:
        return "not-named", {}
    except ProtocolError as error:
        return next(name for kind, name in OUTCOMES.items() if isinstance(error, kind)), {}
    return {"closed": "expired", "ahead": "ahead"}.get(output.get("standing", ""), "ok"), output


@pytest.mark.parametrize("name", NAMES)
def test_it_comes_out_as_it_says(name: str) -> None:
    """The expected outcome, and where it is good the expected output."""
    vector = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    assert name.startswith(vector["area"] + "_")
    assert outcome(vector["area"], vector["input"]) == (vector["expect"], vector.get("output", {}))


def test_making_them_again_gives_the_same() -> None:
    """The folder is what `make vectors` would write, save for the randomness of post-quantum sealing."""
    made, file_names = make_vectors.vectors(), set(KEPT)
    for vector in made:
        assert (FOLDER / f"{vector.name}.json").read_bytes() == make_vectors.record(vector), vector.name
        file_names |= {f"{vector.name}.json", *vector.files}
        for name, content in vector.files.items():
            if isinstance(content, bytes):
                assert (FOLDER / name).read_bytes() == content, name
    assert {path.name for path in FOLDER.iterdir()} == file_names


def test_sealing_again_comes_out_the_same() -> None:
    """Envelopes that are sealed afresh have the outcome of those in the folder."""
    for vector in make_vectors.vectors():
        for content in vector.files.values():
            if not isinstance(content, bytes):
                sealed = "text" if vector.area == "pasted" else "envelope"
                given = {**vector.input, sealed: {"hex": content().hex()}}
                assert outcome(vector.area, given) == (vector.expect, vector.output), vector.name


def test_every_area_has_a_good_vector_and_a_bad_one() -> None:
    """Every area has valid and invalid vectors, except those in which nothing can be wrong."""
    told: dict[str, set[bool]] = {}
    for vector in make_vectors.vectors():
        told.setdefault(vector.area, set()).add(vector.expect == "ok")
    one_sided = {area for area, found in told.items() if found != {True, False}}
    alone = {"holds", "name", "shown", "code", "derive", "form", "blocks", "fingerprint", "signers", "dayhash"}
    alone |= {"missing"}
    assert one_sided == alone
    assert set(told) == set(RUNS)
