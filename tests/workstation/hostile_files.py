"""Files that a stranger could send to whoever looks at them: made by code, and none of them harmless in intent.

Each links, where its kind can, to a listener; none may reach it.
"""

import random
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

SHOWN, REFUSED, ANY = "shown", "refused", "any"
File = tuple[str, bytes, str]  # name, content, and what comes of it

MEDIA = Path(__file__).parent / "media"  # see its README
FREE = (".webm", ".ogg", ".mp3", ".webp", ".avif")  # kinds that every build of Chromium decodes

Entries = Iterable[tuple[int, int, bytes]]  # of a TIFF: tag, type and value

SIZE = 64  # pixels of ordinary pictures
# A JPEG of one grey pixel: tables of one code each.
JPEG_TABLES = (
    "ffdb004300" + "01" * 64 + "ffc0000b080001000101011100"
    "ffc40014000100000000000000000000000000000000" + "ffc40014100100000000000000000000000000000000"
)
JPEG = bytes.fromhex("ffd8" + JPEG_TABLES + "ffda0008010100003f003fffd9")


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int = SIZE, height: int = SIZE, *more: bytes, rows: bytes | None = None) -> bytes:
    """A PNG of one colour, with more chunks before its data."""
    if rows is None:
        rows = (b"\0" + bytes((200, 30, 30)) * width) * height
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def tiff(entries: Entries) -> bytes:
    """A TIFF of one directory."""
    return b"MM\0*" + struct.pack(">I", 8) + directory(entries, 8)


def directory(entries: Entries, at: int) -> bytes:
    """A directory of a TIFF that begins at the offset `at`, with its values behind it."""
    ordered = sorted(entries)
    values, listed = b"", struct.pack(">H", len(ordered))
    start = at + 2 + 12 * len(ordered) + 4
    for tag, kind, value in ordered:
        count = len(value) // {2: 1, 3: 2, 4: 4, 5: 8, 7: 1}[kind]
        is_short = len(value) <= 4
        listed += struct.pack(">HHI", tag, kind, count)
        listed += value.ljust(4, b"\0") if is_short else struct.pack(">I", start + len(values))
        values += b"" if is_short else value
    return listed + bytes(4) + values


def jpeg(exif: bytes = b"", *segments: tuple[int, bytes]) -> bytes:
    """A JPEG of one pixel with Exif and other segments."""
    told = ([(0xE1, b"Exif\0\0" + exif)] if exif else []) + list(segments)
    parts = b"".join(bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body for marker, body in told)
    return JPEG[:2] + parts + JPEG[2:]


def photograph() -> bytes:
    """A JPEG that tells its place, author, device and date."""
    place = struct.pack(">6I", 52, 1, 31, 1, 12, 1)
    told = [(0x010F, 2, b"Roe Cameras\0"), (0x013B, 2, b"Jane Roe\0"), (0x0132, 2, b"2026:11:03 10:20:30\0")]
    at = len(tiff([*told, (0x8825, 4, bytes(4))]))  # where the directory of the place begins
    gps = directory([(1, 2, b"N\0"), (2, 5, place), (3, 2, b"E\0"), (4, 5, place)], at)
    packet = xmp('xmp:CreatorTool="Tool 9"').encode()
    return jpeg(
        tiff([*told, (0x8825, 4, struct.pack(">I", at))]) + gps, (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet)
    )


def xmp(attributes: str, before: str = "", inside: str = "") -> str:
    """A packet of XMP."""
    return (
        f'{before}<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        f"{attributes}>{inside}</rdf:Description></rdf:RDF></x:xmpmeta>"
    )


def pdf(
    *objects: bytes,
    root: bytes = b"",
    page: bytes = b"",
    content: bytes = b"BT /F 24 Tf 20 90 Td (Page) Tj ET",
    count: int = 1,
    box: bytes = b"[0 0 300 200]",
) -> bytes:
    """A PDF whose objects 6 and further are given, with more in its root and its page."""
    kids = b" ".join([b"3 0 R"] * count)
    listed = [
        b"<</Type/Catalog/Pages 2 0 R" + root + b">>",
        b"<</Type/Pages/Kids[" + kids + b"]/Count %d>>" % count,
        b"<</Type/Page/Parent 2 0 R/MediaBox"
        + box
        + b"/Contents 4 0 R/Resources<</Font<</F 5 0 R>>/XObject<</X 6 0 R>>>>"
        + page
        + b">>",
        stream(content),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        *objects,
    ]
    out, places = b"%PDF-1.7\n", []
    for number, body in enumerate(listed, 1):
        places.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(listed) + 1
    return (
        out
        + b"xref\n0 %d\n0000000000 65535 f \n" % size
        + table
        + (b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (size, len(out)))
    )


def stream(data: bytes, more: bytes = b"") -> bytes:
    """A stream of a PDF."""
    return b"<</Length %d%s>>stream\n" % (len(data), more) + data + b"\nendstream"


def packed(data: bytes, more: bytes = b"") -> bytes:
    """The same, compressed."""
    return stream(zlib.compress(data, 9), b"/Filter/FlateDecode" + more)


def wav(data: bytes, rate: int = 8000, told: int | None = None) -> bytes:
    """A WAV of eight bits; `told` is the length that its header claims."""
    size = len(data) if told is None else told
    form = struct.pack("<HHIIHH", 1, 1, rate, rate, 1, 8)
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", size & 0xFFFFFFFF) + data
    return b"RIFF" + struct.pack("<I", len(body) & 0xFFFFFFFF) + body


def gif(width: int = 2, height: int = 2) -> bytes:
    """A GIF of that size with one pixel of data."""
    return (
        b"GIF89a"
        + struct.pack("<HH", width, height)
        + bytes.fromhex("800000ff0000000000")
        + (b"," + struct.pack("<HHHH", 0, 0, 1, 1) + bytes.fromhex("00024c01003b"))
    )


def box(name: bytes, data: bytes) -> bytes:
    """A box of an MP4."""
    return struct.pack(">I", len(data) + 8) + name + data


def few(address: str) -> list[File]:
    """Those that the suite always looks at."""
    link = address.encode()
    svg = f'<svg xmlns="http://www.w3.org/2000/svg"><script href="{address}/a"/><image href="{address}/b"/></svg>'
    entity = f'<!DOCTYPE x [<!ENTITY e SYSTEM "{address}/xxe">]>'
    return [
        ("photograph.jpg", photograph(), SHOWN),
        (
            "<img src=x onerror=alert(1)>\u202egpj.png",
            png(SIZE, SIZE, chunk(b"tEXt", b"Author\0<script>1</script>")),
            SHOWN,
        ),
        ("drawing.svg", svg.encode(), SHOWN),
        ("page.html", f"<script src={address}/c></script><link rel=stylesheet href={address}/d>".encode(), SHOWN),
        ("marks.txt", "pay\u202e001\u2066 \u200b\ufeff\x07 now".encode(), SHOWN),
        ("entity.jpg", jpeg(b"", (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp("", entity, "&e;").encode())), SHOWN),
        ("huge.png", png(100_000, 100_000, rows=b"\0" * 1000), REFUSED),
        ("bomb.png", png(30_000, 30_000, rows=b"\0" * 1_000_000), REFUSED),
        ("script.pdf", pdf(root=b"/OpenAction<</S/JavaScript/JS(app.launchURL\\('%s/e'\\))>>" % link), SHOWN),
        (
            "links.pdf",
            pdf(
                b"<</Type/XObject/Subtype/Image/F<</FS/URL/F(%s/f)>>/Width 9/Height 9/ColorSpace/DeviceRGB"
                b"/BitsPerComponent 8/Length 0>>stream\n\nendstream" % link,
                root=b"/AA<</WC<</S/URI/URI(%s/g)>>>>" % link,
                content=b"/X Do",
                page=b"/Annots[<</Type/Annot/Subtype/Link/Rect[0 0 9 9]/A<</S/URI/URI(%s/h)>>>>]" % link,
            ),
            SHOWN,
        ),
        ("deep.pdf", b"%PDF-1.7\n1 0 obj\n" + b"[" * 200_000, REFUSED),
        ("both.jpg", jpeg() + pdf(root=b"/OpenAction<</S/URI/URI(%s/i)>>" % link), SHOWN),
        ("list.mp3", f"#EXTM3U\n#EXTINF:9,\n{address}/j.ts\n".encode(), SHOWN),
        ("odd.wav", wav(b"\x80" * 999, told=0xFFFFFFFF), ANY),
        ("broken.mp4", box(b"ftyp", b"isom\0\0\0\0isom") + box(b"moov", box(b"udta", b"\0\0\0\1junk")), REFUSED),
        ("program.exe", b"MZ" + bytes(500), REFUSED),
    ]


def many(address: str) -> list[File]:
    """More than a hundred."""
    link, chance = address.encode(), random.Random(15)
    made = [*_texts(address), *_pictures(link, chance), *_documents(link), *_recordings(chance)]
    return [*few(address), *made, *_written(chance), *_lying(), *_jpeg2000(chance)]


def _texts(address: str) -> list[File]:
    bidi = [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C)]
    lines = [
        ("url.url", f"[InternetShortcut]\nURL={address}/k"),
        ("link.lnk.txt", "a" * 100_000),
        ("calls.js", f"fetch('{address}/l')"),
        ("style.css", f"@import url({address}/m); * {{ background: url({address}/n) }}"),
        ("macro.vbs", "MsgBox 1"),
        ("table.csv", f'=HYPERLINK("{address}/o";"=cmd|/c calc!A0")'),
        ("mail.eml", f"Content-Type: text/html\n\n<img src={address}/p>"),
        (
            "laughs.xml",
            "<!DOCTYPE l [<!ENTITY a 'lol'>"
            + "".join(f"<!ENTITY {b} '{f'&{a};' * 10}'>" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
            + "]><l>&i;</l>",
        ),
        ("use.svg", "<svg xmlns='http://www.w3.org/2000/svg'>" + "<g id='a'>" * 500 + "<use href='#a'/>" * 500),
        ("empty.txt", ""),
        ("end.html", "</script></style></textarea><!--<script>"),
        ("close.txt", "</main></body>" * 100),
        ("zeros.txt", "a\0b"),
        ("cat.txt", "\x1b]0;title\x07\x1b[2J\x1b[31mred"),
        ("marks.txt", "\u0301" * 20_000),
        ("wide.txt", "\ufdfd" * 20_000),
        ("lines.txt", "\n" * 200_000),
        ("joined.txt", "\u200d" * 50_000),
        ("tags.txt", "".join(chr(0xE0000 + ord(c)) for c in "hidden")),
        ("meta.html", f"<meta http-equiv=refresh content='0;url={address}/q'>"),
        ("base.html", f"<base href={address}/><iframe src=r>"),
        ("data.html", "<iframe src='data:text/html,<script>parent.x=1</script>'>"),
        ("job.desktop", "[Desktop Entry]\nExec=calc"),
    ]
    named = [(f"bidi{mark}txt.exe", f"before {mark} after") for mark in bidi]
    texts: list[File] = [(name, text.encode(), SHOWN) for name, text in [*lines, *named]]
    encoded: list[File] = [
        (f"{code}.txt", "Grüße, سلام"[:5].encode(code, "replace"), ANY)
        for code in ("utf-16", "utf-16-be", "utf-7", "utf-32", "cp1252", "shift_jis")
    ]
    return texts + encoded


def _pictures(link: bytes, chance: random.Random) -> list[File]:
    whole, photo = png(), photograph()
    cut: list[File] = [(f"cut{at}.jpg", photo[: len(photo) * at // 8], ANY) for at in range(1, 8)]
    flipped: list[File] = []
    for number in range(12):
        changed = bytearray(chance.choice((whole, photo)))
        for _ in range(8):
            changed[chance.randrange(12, len(changed))] = chance.randrange(256)
        flipped.append((f"flipped{number}.png", bytes(changed), ANY))
    loop = bytearray(tiff([(0x010F, 2, b"Roe\0")]))
    loop[-4:] = struct.pack(">I", 8)  # the next directory is this one
    bomb = zlib.compress(bytes(50_000_000), 9)
    return [
        *cut,
        *flipped,
        ("wide.gif", gif(65_535, 65_535), REFUSED),
        ("small.gif", gif(), ANY),
        ("tall.png", png(1, 32_000), SHOWN),
        ("taller.png", png(1, 40_000), REFUSED),
        ("none.png", png(0, 0, rows=b""), REFUSED),
        ("text.png", png(SIZE, SIZE, chunk(b"zTXt", b"Comment\0\0" + bomb)), SHOWN),
        ("profile.png", png(SIZE, SIZE, chunk(b"iCCP", b"p\0\0" + bomb)), ANY),
        ("texts.png", png(SIZE, SIZE, *[chunk(b"tEXt", b"K%d\0v" % number) for number in range(3000)]), SHOWN),
        ("loop.jpg", jpeg(bytes(loop)), SHOWN),
        ("count.jpg", jpeg(b"MM\0*\0\0\0\x08\xff\xff" + bytes(99)), SHOWN),
        ("frames.jpg", JPEG[:2] + bytes.fromhex("ffc0000b08ffffffff01011100") + JPEG[2:], REFUSED),
        ("long.jpg", jpeg(tiff([(0x010E, 2, b"<b>" * 20_000 + b"\0")])), SHOWN),
        ("comment.jpg", jpeg(b"", (0xFE, b"<script src=%s/s></script>" % link)), SHOWN),
        ("page.jpg", jpeg(b"", (0xFE, b"*/=1;fetch('%s/t')/*" % link)), SHOWN),
        ("pack.png", whole + b"PK\x03\x04" + bytes(99), SHOWN),
        ("head.webp", b"RIFF\xff\xff\xff\xffWEBPVP8X" + bytes(20), REFUSED),
        ("wide.webp", b"RIFF\x20\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff" * 6, REFUSED),
        (
            "wide.bmp",
            b"BM" + bytes(12) + b"(\0\0\0" + struct.pack("<ii", 90_000, 90_000) + b"\1\0\x18\0" + bytes(24),
            REFUSED,
        ),
        (
            "wide.avif",
            box(b"ftyp", b"avif\0\0\0\0")
            + box(b"meta", bytes(4) + box(b"ispe", bytes(4) + struct.pack(">II", 99_999, 99_999))),
            REFUSED,
        ),
        ("photo.heic", box(b"ftyp", b"heic\0\0\0\0") + bytes(99), REFUSED),
        ("scan.tif", tiff([(0x010F, 2, b"Scanner\0")]), REFUSED),
    ]


def _documents(link: bytes) -> list[File]:
    zeros = bytes(30_000_000)
    image = b"/Type/XObject/Subtype/Image/ColorSpace/DeviceGray/BitsPerComponent 8"
    form = b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X 6 0 R>>>>"
    font = (
        b"<</Type/Font/Subtype/TrueType/BaseFont/X/FontDescriptor<</Type/FontDescriptor/FontName/X/FontFile2 6 0 R>>>>"
    )
    actions = [
        b"/S/Launch/F(calc.exe)",
        b"/S/SubmitForm/F(%s/u)" % link,
        b"/S/GoToR/F(%s/v)" % link,
        b"/S/ImportData/F(%s/w)" % link,
    ]
    opened: list[File] = [
        (f"action{number}.pdf", pdf(root=b"/OpenAction<<" + action + b">>"), SHOWN)
        for number, action in enumerate(actions)
    ]
    filters: list[File] = [
        (
            f"{name.decode()}.pdf",
            pdf(
                stream(b"\xff\x4f\xff\x51" + bytes(200), image + b"/Width 99/Height 99/Filter/" + name),
                content=b"/X Do",
            ),
            SHOWN,
        )
        for name in (b"JPXDecode", b"JBIG2Decode", b"CCITTFaxDecode", b"DCTDecode", b"LZWDecode", b"RunLengthDecode")
    ]
    return [
        *opened,
        *filters,
        ("zeros.pdf", pdf(packed(zeros, image + b"/Width 60000/Height 60000"), content=b"/X Do"), SHOWN),
        ("content.pdf", pdf(content=b"q " * 300_000), ANY),
        ("lines.pdf", pdf(content=b"0 0 m 9 9 l S " * 20_000), ANY),
        ("itself.pdf", pdf(stream(b"/X Do", form), content=b"/X Do"), SHOWN),
        ("calls.pdf", pdf(stream(b"/X Do " * 50, form), content=b"/X Do " * 50), ANY),
        ("box.pdf", pdf(box=b"[0 0 100000000 100000000]"), ANY),
        ("flat.pdf", pdf(box=b"[0 0 0 0]"), ANY),
        ("odd.pdf", pdf(box=b"[9 (a) 1 /x]"), ANY),
        ("pages.pdf", pdf(count=5000), SHOWN),
        ("font.pdf", pdf(stream(b"\0\1\0\0\0\xff" + bytes(400)), font), SHOWN),
        (
            "xfa.pdf",
            pdf(
                stream(b"<xdp><script>xfa.host.gotoURL('%s/x')</script></xdp>" % link), root=b"/AcroForm<</XFA 6 0 R>>"
            ),
            SHOWN,
        ),
        (
            "inside.pdf",
            pdf(stream(b"MZ"), root=b"/Names<</EmbeddedFiles<</Names[(a.exe)<</F(a\\056exe)/EF<</F 6 0 R>>>>]>>>>"),
            SHOWN,
        ),
        (
            "function.pdf",
            pdf(
                stream(b"{ { dup } loop }", b"/FunctionType 4/Domain[0 1]/Range[0 1]"),
                content=b"/P cs 0.5 scn 0 0 99 99 re f",
            ),
            SHOWN,
        ),
        ("none.pdf", b"%PDF-1.7\n", REFUSED),
        ("cut.pdf", pdf()[:200], ANY),
        ("many.pdf", pdf() * 3, SHOWN),
        ("locked.pdf", pdf().replace(b"trailer<<", b"trailer<</Encrypt<</Filter/X>>"), REFUSED),
    ]


def _recordings(chance: random.Random) -> list[File]:
    noise = chance.randbytes(4000)
    starts = {
        "mp4": box(b"ftyp", b"isom\0\0\0\0"),
        "webm": b"\x1aE\xdf\xa3",
        "ogg": b"OggS\0\2",
        "flac": b"fLaC\0\0\0\x22",
        "mp3": b"ID3\4\0\0\x7f\x7f\x7f\x7fTIT2\x7f\x7f\x7f\x7f",
        "aac": b"\xff\xf1",
        "mov": box(b"ftyp", b"qt  \0\0\0\0"),
    }
    broken: list[File] = [(f"noise.{ending}", start + noise, REFUSED) for ending, start in starts.items()]
    odd: list[File] = [
        (f"odd{rate}.wav", wav(noise[:size], rate), ANY)
        for rate, size in ((1, 1), (0, 10), (8000, 0), (4_000_000_000, 99))
    ]
    turned = box(b"ftyp", b"isom\0\0\0\0") + b"\0\0\0\1moov" + struct.pack(">Q", 2**63)
    return [
        *broken,
        *odd,
        ("turned.mp4", turned, REFUSED),
        ("boxes.mp4", box(b"ftyp", b"isom\0\0\0\0") + box(b"moov", box(b"udta", b"") * 9000), REFUSED),
    ]


def _written(chance: random.Random) -> list[File]:
    """What programs wrote, whole, cut off, and with bytes altered."""
    files: list[File] = []
    for path in sorted(MEDIA.iterdir()):
        whole, name = path.read_bytes(), path.name
        if path.suffix not in (".jp2", ".md"):
            files.append((f"whole-{name}", whole, SHOWN if path.suffix in FREE else ANY))
            files += [(f"cut{at}-{name}", whole[: len(whole) * at // 4], ANY) for at in range(1, 4)]
            files += [(f"flipped{number}-{name}", flipped(whole, chance), ANY) for number in range(2)]
    return files


def flipped(whole: bytes, chance: random.Random) -> bytes:
    """Eight bytes of it, behind what tells its kind, are others."""
    changed = bytearray(whole)
    for _ in range(8):
        changed[chance.randrange(16, len(changed))] = chance.randrange(256)
    return bytes(changed)


def _lying() -> list[File]:
    """Recordings whose lengths are not what they say."""
    video, sound, free = ((MEDIA / name).read_bytes() for name in ("v.mp4", "a.mp3", "v.webm"))
    files: list[File] = []
    for name in (b"moov", b"mdat", b"trak", b"stsz", b"stco"):
        at = video.index(name) - 4
        for size in (0, 1, 7, 0x7FFFFFFF, 0xFFFFFFFF):
            lie = video[:at] + struct.pack(">I", size) + video[at + 4 :]
            files.append((f"{name.decode()}{size}.mp4", lie, ANY))
    for field in (b"mvhd", b"stts"):  # how long, and how many pictures
        at = video.index(field) + 4 + (16 if field == b"mvhd" else 4)
        files.append((f"{field.decode()}.mp4", video[:at] + b"\xff" * 4 + video[at + 4 :], ANY))
    segment = free.index(b"\x18\x53\x80\x67") + 4
    for size in (b"\x01" + b"\xff" * 7, b"\x01" + bytes(7), b"\x08" + b"\xff" * 7):
        files.append((f"segment{size[-1]}{size[0]}.webm", free[:segment] + size + free[segment + 8 :], ANY))
    tag = b"ID3\x03\0\0" + b"\x7f" * 4  # of 256 MiB
    return [*files, ("tag.mp3", tag + sound, ANY), ("twice.mp3", sound * 3000, ANY), ("both.mp4", video + free, ANY)]


def _jpeg2000(chance: random.Random) -> list[File]:
    """JPEG 2000 inside PDF, as a program wrote it and otherwise."""
    picture = (MEDIA / "p.jp2").read_bytes()
    size = picture.index(b"\xff\x51") + 6  # of the code stream: its width and height
    large = picture[:size] + struct.pack(">II", 100_000, 100_000) + picture[size + 8 :]
    deep = picture[: size + 32] + b"\xff\xff" + picture[size + 34 :]  # 65,535 components
    pictures = {"whole": picture, "cut": picture[: len(picture) // 2], "large": large, "deep": deep}
    pictures |= {f"flipped{number}": flipped(picture, chance) for number in range(6)}
    image = b"/Type/XObject/Subtype/Image/Width 16/Height 16/Filter/JPXDecode"
    inside: list[File] = [
        (f"{name}-jpx.pdf", pdf(stream(data, image), content=b"q 200 0 0 200 9 9 cm /X Do Q"), SHOWN)
        for name, data in pictures.items()
    ]
    return [*inside, ("alone.jp2", picture, REFUSED)]
