"""Vectors of words, of what is derived from a code, of forms, of canonical JSON and of file names."""

import base64
import hashlib
import unicodedata
from collections.abc import Iterator
from typing import Any

from tests.making.vector import Vector, secret, told
from whistle.protocol.code import retrieval, words
from whistle.protocol.code.retrieval import FormDigest, derive, place_ids

ZERO, ONES, STEPS = bytes(16), b"\xff" * 16, bytes(range(16))
ENGLISH = words.encode(STEPS)
PAGE = """
Keep these twelve words
They are the only way to read our replies. We cannot find them for you.

    {}

Case reference: 3803-9977-1345
Each word also has a number. You can 1 ignore 910 it.
"""


def _typed() -> Iterator[tuple[str, str, str, bytes]]:
    numbers = [str(number) for number in words.numbers(STEPS)]
    for language in words.LANGUAGES:
        told = " ".join(words.encode(STEPS, language))
        yield f"whole_{language}", f"whole words of the list {language}", told, STEPS
    yield "prefixes", "the first four letters are enough", " ".join(word[:4] for word in ENGLISH), STEPS
    yield "longer_prefixes", "five letters of a longer word", " ".join(word[:5] for word in ENGLISH), STEPS
    french = " ".join(words.encode(STEPS, "fr"))
    yield "no_accents", "accents may be left out", french.replace("é", "e").replace("è", "e"), STEPS
    yield "decomposed", "accents as characters of their own", french.replace("é", "e\u0301"), STEPS
    yield "upper_case", "capital letters", " ".join(ENGLISH).upper(), STEPS
    yield "marks", "marks, lines and spaces between the words", ",\n\u00a0".join(ENGLISH) + ".", STEPS
    yield "chinese_together", "Chinese characters without spaces", "".join(words.encode(STEPS, "zh")), STEPS
    old = {unicodedata.normalize("NFKD", chr(char)): chr(char) for char in range(0xF900, 0xFA6B)}
    odd = next(code for code in (bytes([n]) * 16 for n in range(256)) if set(words.encode(code, "zh")) & set(old))
    together = "".join(old.get(word, word) for word in words.encode(odd, "zh"))
    yield "chinese_compatible", "the same with characters that Unicode has a second time", together, odd
    marked = " ".join("\u0301".join([*word, ""]) + "\u0327" * 70 for word in ENGLISH)
    yield "many_marks", "marks on every letter, and many on the last", marked, STEPS
    yield "numbers", "the words' numbers", " ".join(numbers), STEPS
    yield "numbers_padded", "numbers of four digits", " ".join(number.zfill(4) for number in numbers), STEPS
    for name, zero in {
        "arabic": 0x660,
        "persian": 0x6F0,
        "devanagari": 0x966,
        "bengali": 0x9E6,
        "wide": 0xFF10,
    }.items():
        digits = str.maketrans("0123456789", "".join(chr(zero + digit) for digit in range(10)))
        yield f"numbers_{name}", f"numbers in {name} digits", " ".join(numbers).translate(digits), STEPS
    mixed = [word if place % 2 else number for place, (word, number) in enumerate(zip(ENGLISH, numbers, strict=True))]
    yield "mixed", "words and numbers by turns", " ".join(mixed), STEPS
    counted = "\n".join(f"{place}. {word}" for place, word in enumerate(ENGLISH, 1))
    yield "numbered", "words with 1 to 12 in front of them", counted, STEPS
    counted = " ".join(f"{place}) {number}" for place, number in enumerate(numbers, 1))
    yield "numbered_numbers", "numbers with 1 to 12 in front of them", counted, STEPS
    for language in words.LANGUAGES:
        lines = "\n".join(_shown(language, "\n"))
        yield f"shown_{language}", f"{language} words with their numbers behind", lines, STEPS
        counted = "  ".join(f"{place}. {line}" for place, line in enumerate(_shown(language), 1))
        yield f"shown_numbered_{language}", "the same with 1 to 12 in front", counted, STEPS
    yield "shown_page", "a copy of all of the page", PAGE.format("\n    ".join(_shown("en", "\n    "))), STEPS
    repeated = " ".join(["abandon 1"] * 11 + ["about 4"])
    yield "shown_repeated", "the same word several times, with its number", repeated, ZERO


def _shown(language: str, between: str = " ") -> list[str]:
    """Each word with its number, as pages show them."""
    spoken = zip(words.encode(STEPS, language), words.numbers(STEPS), strict=True)
    return [f"{word}{between}{number}" for word, number in spoken]


def _mistyped() -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    numbers = " ".join(map(str, words.numbers(STEPS)[1:]))
    yield "eleven", "a word too few", " ".join(ENGLISH[:11]), {"reason": "count", "found": 11}
    yield "thirteen", "a word too many", " ".join([*ENGLISH, "zoo"]), {"reason": "count", "found": 13}
    yield "none", "nothing", "", {"reason": "count", "found": 0}
    yield "unknown", "a word on no list", "abandin " + "abandon " * 11, {"reason": "unknown", "word": "abandin"}
    yield (
        "three_letters",
        "three letters of a longer word",
        "aba " + "abandon " * 11,
        {"reason": "unknown", "word": "aba"},
    )
    yield (
        "too_long",
        "a word with letters after it",
        "abandons " + "zoo " * 11,
        {"reason": "unknown", "word": "abandons"},
    )
    yield "number_zero", "0 is no word's number", f"0 {numbers}", {"reason": "unknown", "word": "0"}
    yield "number_2049", "2049 is no word's number", f"2049 {numbers}", {"reason": "unknown", "word": "2049"}
    yield (
        "two_lists",
        "English words and a French one",
        "zoo " * 11 + "abaisser",
        {"reason": "unknown", "word": "abaisser"},
    )
    swapped = [ENGLISH[1], ENGLISH[0], *ENGLISH[2:]]
    named = _shown("en")
    more, apart = " ".join([*named, "zoo 2048"]), " and ".join(named)
    yield "shown_thirteen", "a thirteenth with its number", more, {"reason": "count", "found": 26}
    yield "shown_apart", "words with their numbers, and others between", apart, {"reason": "count", "found": 35}
    named[3] = named[3].split()[0] + " 9"
    yield "shown_number", "the number of another word behind one", " ".join(named), {"reason": "count", "found": 24}
    yield "swapped", "two words in each other's place", " ".join(swapped), {"reason": "checksum"}
    yield "checksum", "a last word with another checksum", "abandon " * 12, {"reason": "checksum"}


def typed() -> Iterator[Vector]:
    """What people type."""
    for name, about, said, code in _typed():
        yield Vector(f"words_{name}", about, "ok", {"typed": said}, {"code": code.hex()})
    for name, about, said, output in _mistyped():
        yield Vector(f"words_bad_{name}", about, "malformed", {"typed": said}, output)


def texts() -> Iterator[Vector]:
    """Texts that hold a code, and texts that do not."""
    said, numbers = " ".join(ENGLISH), ", ".join(map(str, words.numbers(STEPS)))
    chinese = words.encode(STEPS, "zh")
    counted = "Take them: " + " ".join(f"{place}. {line}" for place, line in enumerate(_shown("es"), 1))
    cases: list[tuple[str, str, str, bytes | None, bool]] = [
        ("words", "twelve words inside a sentence", f"My code is {said}. Thank you.", None, True),
        ("numbers", "twelve numbers", f"It is {numbers}!", None, True),
        (
            "numbered",
            "words with 1 to 12 in front",
            "\n".join(f"{i}. {w}" for i, w in enumerate(ENGLISH, 1)),
            None,
            True,
        ),
        ("shown", "words with their numbers behind", "Mine: " + "\n".join(_shown("en", "\n")), None, True),
        ("shown_numbered", "the same with 1 to 12 in front", counted, None, True),
        ("shown_page", "a copy of all of the page", PAGE.format("\n    ".join(_shown("fr", "\n    "))), None, True),
        ("shown_chinese", "Chinese ones with their numbers", "\n".join(_shown("zh")), None, True),
        ("own_shown", "one's own words with their numbers", counted, STEPS, True),
        ("own", "one's own words", f"My code is {said}.", STEPS, True),
        ("other", "another's words, where one's own are looked for", f"My code is {said}.", ZERO, False),
        ("eleven", "eleven words", " ".join(ENGLISH[:11]) + " and so on", None, False),
        ("checksum", "twelve words whose checksum is wrong", "abandon " * 12, None, False),
        ("chinese_apart", "Chinese characters apart", " ".join(chinese), None, True),
        ("chinese_together", "Chinese characters together are taken for prose", "".join(chinese), None, False),
        ("chinese_own", "one's own are found together too", f"我说{''.join(chinese)}好", STEPS, True),
        ("unseen_within", "what nobody sees within each word", "\n".join(map("\u200b".join, ENGLISH)), None, True),
        ("unseen_between", "what nobody sees in place of spaces", "\u3164\u2060".join(ENGLISH), None, True),
        (
            "unseen_fillers",
            "letters that nobody sees behind each word",
            " ".join(f"{w}\u1160" for w in ENGLISH),
            STEPS,
            True,
        ),
        ("prose", "ordinary prose", "He said that he would end my contract unless I came along.", None, False),
    ]
    for name, about, text, code, holds in cases:
        wanted = {"text": text, **({"code": code.hex()} if code else {})}
        yield Vector(f"holds_{name}", about, "ok", wanted, {"holds": holds})


def codes() -> Iterator[Vector]:
    """Codes as words and numbers, and everything derived from them."""
    for name, code in {"zero": ZERO, "ones": ONES, "steps": STEPS, "other": secret("code", 16)}.items():
        spoken = {language: words.encode(code, language) for language in words.LANGUAGES}
        output = {"numbers": words.numbers(code), "words": spoken}
        yield Vector(f"code_{name}", "a code in words and numbers", "ok", {"code": code.hex()}, output)
    for name, code in {"zero": ZERO, "steps": STEPS, "other": secret("code", 16)}.items():
        yield _derived(name, code)


def _derived(name: str, code: bytes) -> Vector:
    who, attempt, digest = derive(code), secret("attempt"), secret("digest")
    lanes = {str(lane): hashlib.sha256(b"".join(place_ids(who.replies, lane))).hexdigest() for lane in (0, 1, 15, 255)}
    follow_up = who.follow_up_token(attempt, digest)
    lookups = {str(slots): hashlib.sha256(b"".join(who.lookup_ids(slots))).hexdigest() for slots in (2, 8, 16)}
    output: dict[str, Any] = {
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
        "once": who.once(attempt),
        "first_place_id": place_ids(who.replies, 0)[0].hex(),
        "last_place_id_of_lane_15": place_ids(who.replies, 15)[63].hex(),
        "lane_sha256": lanes,
        "lookup_sha256": lookups,
    }
    given = {"code": code.hex(), "attempt": attempt.hex(), "digest": digest.hex()}
    return Vector(f"derive_{name}", "everything that follows from a code", "ok", given, output)


def forms() -> Iterator[Vector]:
    """A form's digest and the code that a form gives."""
    photo = hashlib.sha256(b"a photograph").hexdigest()
    cases: dict[str, tuple[str, list[list[str]]]] = {
        "empty": ("no field at all", []),
        "fields": (
            "fields in the form's order",
            [["field", "channel", "fraud"], ["field", "text", "Ein Fall für sich"]],
        ),
        "files": (
            "files by name and SHA-256",
            [["field", "text", "x"], ["file", "föto.jpg", photo], ["file", "", photo]],
        ),
        "left_out": (
            "attempt and words do not count",
            [["field", "attempt", "a"], ["field", "words", "w"], ["field", "text", ""]],
        ),
    }
    for name, (about, parts) in cases.items():
        form = FormDigest()
        for kind, first, second in parts:
            if kind == "field":
                form.field(first, second.encode())
            else:
                form.file(first, bytes.fromhex(second))
        code = retrieval.code_for(secret("attempt"), form.digest())
        output = {"digest": form.digest().hex(), "code": code.hex()}
        yield Vector(f"form_{name}", about, "ok", {"parts": parts, "attempt": secret("attempt").hex()}, output)


CANONICAL = {
    "object": b'{"a":1,"b":[true,false,null],"c":{"d":"e"}}',
    "sorted_by_bytes": b'{"":0,"-":1,"10":2,"9":3,"Z":4,"_":5,"__proto__":6,"a":7}',
    "escapes": b'"\\b\\f\\n\\r\\t\\u0000\\u001f\\"\\\\/\x7f"',
    "unicode": '"é\u2028\u2029\ufeff\uffff😀"'.encode(),
    "integers": b"[0,-1,9007199254740991,-9007199254740991]",
    "deep": b"[[[[[[[[1]]]]]]]]",
    "scalar": b'"text"',
    "empty_list": b"[]",
}
NOT_CANONICAL = {
    "key_order": b'{"b":1,"a":2}',
    "key_twice": b'{"a":1,"a":1}',
    "key_not_ascii": '{"é":1}'.encode(),
    "space": b'{"a": 1}',
    "space_after": b"1 ",
    "line_end": b"[]\n",
    "float": b"[1.0]",
    "exponent": b"[1e2]",
    "minus_zero": b"[-0]",
    "leading_zero": b"[01]",
    "plus": b"[+1]",
    "not_a_number": b"[NaN]",
    "infinity": b"[Infinity]",
    "2_to_the_53rd": b"[9007199254740992]",
    "minus_2_to_the_53rd": b"[-9007199254740992]",
    "huge_integer": b"[" + b"9" * 5000 + b"]",
    "escape_not_needed": b'"\\u00e9"',
    "escaped_slash": b'"\\/"',
    "escape_capital": b'"\\u001F"',
    "control_character": b'"\x01"',
    "lone_surrogate": b'"\\ud800"',
    "surrogate_in_utf8": b'"\xed\xa0\x80"',
    "surrogate_pair_escaped": b'"\\ud83d\\ude00"',
    "not_utf8": b'"\xff"',
    "overlong_utf8": b'"\xc0\x80"',
    "byte_order_mark": b'\xef\xbb\xbf"a"',
    "nine_deep": b"[[[[[[[[[1]]]]]]]]]",
    "very_deep": b"[" * 20_000 + b"]" * 20_000,
    "two_values": b"1 2",
    "trailing_comma": b"[1,]",
    "comment": b"[1]/**/",
    "single_quotes": b"'a'",
    "cut_off": b'{"a":',
    "nothing": b"",
}


def canonical() -> Iterator[Vector]:
    """Canonical JSON, and JSON in other forms."""
    for name, data in CANONICAL.items():
        yield Vector(f"canonical_{name}", "reads, and writes the same bytes again", "ok", {"data": told(data)})
    for name, data in NOT_CANONICAL.items():
        about = f"not canonical: {name.replace('_', ' ')}"
        yield Vector(f"canonical_bad_{name}", about, "malformed", {"data": told(data)})


CODED = base64.b64encode(b"".join(secret(f"line {count}", 48) for count in range(16))).decode()
LINES = "\n".join(CODED[at : at + 64] for at in range(0, 1024, 64))
SHOWN = {
    "nothing": ("nothing at all", "", True, False),
    "spaces": ("spaces, tabs and line ends", " \t\r\n\x0b\x1f\x85\u00a0\u2003\u2028\u3000", True, False),
    "zero_width": ("zero-width marks", "\u200b\u2060\ufeff", True, False),
    "fillers": ("fillers and an empty Braille cell", "\u3164\u2800\u115f\u1160\uffa0\u17b4\u17b5", True, False),
    "tags": ("tags and variation selectors", "\U000e0041\U000e0100\ufe0f\u180b", True, False),
    "marks": (
        "marks of direction, soft hyphens, joiners",
        "\u202e\u2066\u061c\u00ad\u034f\u200d\U0001d173",
        True,
        False,
    ),
    "letter": ("one letter among them", "\u200ba\u3164", False, False),
    "emoji": ("an emoji of a newer Unicode", "\U0001fae9", False, False),
    "label": ("the label", "WHISTLE SEALED REPORT", False, True),
    "label_spread": ("the label over two lines, quoted", "> WHISTLE\u00a0SEALED\r\n> REPORT", False, True),
    "label_small": ("a last line in small letters", "\u2014\u2014end whistle sealed report\u2014", False, True),
    "label_talk": ("talk of a sealed report", "I sent a Whistle sealed report in May.", False, False),
    "fragment": ("lines of base64", LINES, False, True),
    "fragment_one_line": ("the same as one line", f"here: {CODED}", False, True),
    "fragment_quoted": ("the same, quoted", "> " + LINES.replace("\n", " \r\n> "), False, True),
    "fragment_short": ("fewer of them", LINES[:-65], False, False),
    "fragment_elsewhere": ("the same in other armour", f"-----BEGIN X-----\n{LINES}\n-----END X-----", False, False),
    "fragment_behind": ("the same behind other armour", f"-----BEGIN X-----\n-----END X-----\n{LINES}", False, True),
    "hex": ("hexadecimal, which is no base64 of ours", secret("hex", 2000).hex(), False, False),
}


def shown() -> Iterator[Vector]:
    """Texts that are blank or not, and that may be sealed reports or not."""
    for name, (about, text, blank, sealed) in SHOWN.items():
        yield Vector(f"shown_{name}", about, "ok", {"text": text}, {"blank": blank, "sealed": sealed})


NAMES = {
    "plain": ("photo.jpg", "photo.jpg"),
    "upwards": ("../../etc/passwd", "passwd"),
    "windows_path": ("C:\\Windows\\cmd.exe", "cmd.exe"),
    "nothing": ("/", "attachment"),
    "dots": ("..", "attachment"),
    "hidden": (".bashrc", "bashrc"),
    "controls": ("a\nb\r\x1b[2J\x00.txt", "ab[2J.txt"),
    "override": ("\u202egpj.exe", "gpj.exe"),
    "zero_width": ("zero\u200bwidth\ufeff.txt", "zerowidth.txt"),
    "forbidden": ("a<b>:c|d?*.txt", "a_b__c_d__.txt"),
    "stream": ("photo.jpg:hidden.exe", "photo.jpg_hidden.exe"),
    "composed": ("e\u0301te\u0301.pdf", "\u00e9t\u00e9.pdf"),
    "spaces": ("  a \u00a0\u3000 b .txt . ", "a b.txt"),
    "device": ("con", "_con"),
    "device_ending": ("NUL.txt", "_NUL.txt"),
    "device_endings": ("Aux.tar.gz", "_Aux.tar.gz"),
    "device_space": ("COM1 .txt", "_COM1.txt"),
    "device_superscript": ("com\u00b9.log", "_com\u00b9.log"),
    "device_wide": ("\uff23\uff2f\uff2e.txt", "_\uff23\uff2f\uff2e.txt"),
    "no_device": ("console.txt", "console.txt"),
    "option": ("-rf.txt", "_-rf.txt"),
    "desktop_ini": ("Desktop.INI", "_Desktop.INI"),
    "desktop_ini_dots": ("desktop.ini. .", "_desktop.ini"),
    "desktop_ini_unseen": ("desk\u200btop.ini\u2060", "_desktop.ini"),
    "autorun": ("autorun.inf", "_autorun.inf"),
    "other_ini": ("settings.ini", "settings.ini"),
    "link": ("Report.lnk", "Report.lnk_"),
    "link_capitals": ("Report.pdf.LNK", "Report.pdf.LNK_"),
    "link_dots": ("Report.lnk. ", "Report.lnk_"),
    "link_unseen": ("Report.l\u00adnk\u3164", "Report.lnk_"),
    "link_alone": (".lnk", "lnk"),
    "link_without_name": ("\u200b.lnk", "attachment.lnk_"),
    "address": ("site.url", "site.url_"),
    "command": ("a.scf", "a.scf_"),
    "library": ("a.library-ms", "a.library-ms_"),
    "search": ("a.searchConnector-ms", "a.searchConnector-ms_"),
    "newer_emoji": ("\U0001fae9.jpg", "\U0001fae9.jpg"),
    "unassigned": ("\U0001fbff\u0378.jpg", "\U0001fbff\u0378.jpg"),
    "private": ("\ue000\U000f0000.jpg", "attachment.jpg"),
    "unseen": ("\u3164.pdf", "attachment.pdf"),
    "long": ("x" * 300 + ".jpeg", "x" * 195 + ".jpeg"),
    "long_emoji": ("\U0001fae9" * 300 + ".jpeg", "\U0001fae9" * 48 + ".jpeg"),
    "long_ending": ("a." + "x" * 300, "a." + "x" * 198),
    "long_dots": ("x" * 190 + "." * 30 + "y.txt", "x" * 190 + ".txt"),
}


def names() -> Iterator[Vector]:
    """Names of files, and those under which they are saved."""
    for name, (given, safe) in NAMES.items():
        yield Vector(f"name_{name}", "the name under which a file is saved", "ok", {"name": given}, {"safe": safe})


def vectors() -> Iterator[Vector]:
    """All of this module."""
    for group in (typed, texts, shown, names, codes, forms, canonical):
        yield from group()
