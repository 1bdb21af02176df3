"""A demo on one machine: a server, three reviewers, a courier, and a folder in place of a stick.

Its passphrase is published here, and whoever reads the folder reads everything: it is for nothing real.
"""

import contextlib
import datetime
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from whistle import courier
from whistle.ceremony import root as roots
from whistle.ceremony import steps
from whistle.ceremony.organisation import Decisions
from whistle.ceremony.root import Keys
from whistle.ceremony.server_process import HOST, check_free, serving
from whistle.ceremony.steps import Layout, Person
from whistle.protocol.age.passphrase import LOG_N
from whistle.protocol.trust.manifest import Channel
from whistle.server.config import Config
from whistle.server.instance import open_instance
from whistle.server.running import setup as servers
from whistle.translations import defaults
from whistle.workstation.app.local_server import serve
from whistle.workstation.workstation import Workstation

PASSPHRASE = "only a demo, nothing real"  # noqa: S105 (published: it protects nothing)
LANGUAGES = ("en", "ar", "es", "fr", "ru", "zh")
REVIEWERS = {
    "ombudsperson": Person("Ombudsperson", "Ombudsperson", LANGUAGES),
    "ethics-office": Person("Ethics office", "Ethics office", LANGUAGES),
    "staff-counsel": Person("Staff counsel", "Staff counsel", LANGUAGES),
}
READER = "ombudsperson"  # whose vault the demo opens
READERS = {
    "harassment": ("ombudsperson", "ethics-office"),
    "fraud": ("ethics-office", "ombudsperson"),
    "advice": ("staff-counsel", "ombudsperson"),
}
CHANNELS = tuple(
    Channel(id, defaults.texts(defaults.TITLE, id), defaults.texts(defaults.PURPOSE, id), readers, "connected")
    for id, readers in READERS.items()
)
DECISIONS = Decisions(CHANNELS, ("monday", "thursday"))
RENEW = 25  # days before the manifest's end from which a start signs the next one
SETTINGS = """
[[emergency]]
number = "112"
label.en = "in this demo, nobody answers"
label.ar = "لا أحد يجيب في هذا العرض التجريبي"
label.es = "en esta demostración no contesta nadie"
label.fr = "dans cette démonstration, personne ne répond"
label.ru = "в этой демонстрации никто не ответит"
label.zh = "这是演示，无人接听"

[[outside]]
name.en = "An office outside this organisation"
name.ar = "جهة خارج هذه المنظمة"
name.es = "Una oficina fuera de esta organización"
name.fr = "Un bureau hors de cette organisation"
name.ru = "Служба вне этой организации"
name.zh = "本组织以外的机构"
contact = "https://example.org/"
about.en = "Only an example."
about.ar = "مجرد مثال."
about.es = "Solo un ejemplo."
about.fr = "Juste un exemple."
about.ru = "Только пример."
about.zh = "仅为示例。"

[[plan]]
days = 7
text.en = "You get an acknowledgement."
text.ar = "يصلك إشعار بالاستلام."
text.es = "Recibirá un acuse de recibo."
text.fr = "Vous recevez un accusé de réception."
text.ru = "Вы получите подтверждение."
text.zh = "您会收到确认。"

[[plan]]
days = 90
text.en = "You hear what was done."
text.ar = "يصلك خبر ما جرى فعله."
text.es = "Sabrá qué se ha hecho."
text.fr = "Vous apprenez ce qui a été fait."
text.ru = "Вы узнаете, что сделано."
text.zh = "您会得知处理情况。"
"""
NAMES = {
    "ar": "عرض تجريبي",
    "es": "Demostración",
    "fr": "Démonstration",
    "ru": "Демонстрация",
    "zh": "演示",
}  # beside English


@dataclass(frozen=True)
class Ports:
    """The ports of the two pages."""

    server: int = 8080
    workstation: int = 8081


@dataclass(frozen=True)
class Addresses:
    """The addresses of the two pages."""

    reporter: str
    workstation: str


def prepare(folder: Path, ports: Ports, profile: str = "standard", log_n: int = LOG_N) -> bool:
    """Make the demo's folder, or reuse it; True if it was made now. Raises RootError, ServerError, CourierError."""
    is_new = not folder.exists()
    if is_new:
        making = folder.with_name(folder.name + ".making")
        shutil.rmtree(making, ignore_errors=True)
        _make(Layout(making), ports, profile, log_n)
        making.replace(folder)
    layout = Layout(folder)
    if not (layout.server / "whistle.toml").exists():
        raise roots.RootError(f"the folder {folder.name} is no demo", "choose another with --folder, or move it away")
    _renew(layout)
    _accept_day(layout)
    _set_port(layout, ports)
    return is_new


def check_free_ports(ports: Ports) -> None:
    """Raise ServingError, which names the option to change, if one of them is in use."""
    check_free(ports.server, "--port")
    check_free(ports.workstation, "--workstation-port")


@contextlib.contextmanager
def running(folder: Path, ports: Ports) -> Iterator[Addresses]:
    """Run server and workstation until the block ends. Raises ServingError for a busy port, WorkstationError."""
    check_free_ports(ports)
    layout = Layout(folder)
    with serving(layout.server, ports.server) as url, contextlib.ExitStack() as stack:
        station = Workstation.open(layout.workstation(READER), PASSPHRASE)
        stack.callback(station.close)
        page, address, desk = serve(station, layout.stick, ports.workstation, folder / "saved", layout.courier)
        stack.callback(desk.close)
        stack.callback(page.server_close)
        thread = threading.Thread(target=page.serve_forever, kwargs={"poll_interval": 0.1})
        thread.start()
        stack.callback(thread.join)
        stack.callback(page.shutdown)
        yield Addresses(f"{url}/", address)


def _make(layout: Layout, ports: Ports, profile: str, log_n: int) -> None:
    layout.folder.mkdir(parents=True)
    layout.stick.mkdir()
    layout.public.mkdir()
    secret = steps.make_root(layout, PASSPHRASE, log_n)
    with contextlib.ExitStack() as stack:
        stations = []
        for id, person in REVIEWERS.items():
            station = steps.make_workstation(layout, id, person, PASSPHRASE, profile)
            stack.callback(station.close)
            stations.append(station)
            (layout.public / f"{id}.reviewer").write_bytes(station.public_file())
        carrier = steps.make_courier(layout, f"http://{HOST}:{ports.server}", "Courier")
        signed = steps.sign(layout, secret, [*_public_files(layout), carrier], DECISIONS, _today())
        for station in stations:  # so that no exchange is needed before the first report
            station.trust.take({"manifest.json": signed.data, "manifest.json.minisig": signed.signature})
    steps.make_server(layout, "Demo", ports.server)
    _write_settings(layout.server / "whistle.toml")


def _public_files(layout: Layout) -> list[bytes]:
    return [(layout.public / f"{id}.reviewer").read_bytes() for id in REVIEWERS]


def _renew(layout: Layout) -> None:
    """Sign the next manifest if the last one is about to end, as a root keeper would."""
    newest = Keys.read(layout.keys).newest
    if newest is None or (newest.manifest.expires - _today()).days > RENEW:
        return
    secret = roots.read_key_file(layout.root.read_bytes(), PASSPHRASE)
    steps.sign(layout, secret, _public_files(layout), DECISIONS, _today())
    servers.install(layout.server, layout.keys)


def _accept_day(layout: Layout) -> None:
    """Accept today's date, so that an old demo can be run again; it holds nothing real."""
    instance = open_instance(Config.load(layout.server))
    with contextlib.closing(instance.store) as store:
        store.accept(store.clock().says)


def _write_settings(path: Path) -> None:
    text = path.read_text("utf-8").replace("behind_tor = true", "behind_tor = false")
    for code, name in NAMES.items():
        text = text.replace(f'# {code} = "Demo"', f'{code} = "{name}"', 1)
    path.write_text(text.replace("[server]", SETTINGS.strip() + "\n\n[server]", 1), "utf-8")


def _set_port(layout: Layout, ports: Ports) -> None:
    path = layout.server / "whistle.toml"
    text = path.read_text("utf-8")
    moved = re.sub(r"(?m)^bind = .*$", f'bind = "{HOST}:{ports.server}"', text, count=1)
    if moved != text:
        path.write_text(moved, "utf-8")
        courier.move(layout.courier, f"http://{HOST}:{ports.server}", None)


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()
