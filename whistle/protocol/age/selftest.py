"""A self-test of the cryptography library, to run before anything is sealed or opened."""

import hashlib

from whistle.protocol.age.errors import SelfTestError
from whistle.protocol.age.format import Stanza
from whistle.protocol.age.hybrid import KIND, HybridIdentity
from whistle.protocol.age.primitives import decode_base64
from whistle.protocol.errors import Malformed

# One vector of C2SP's collection for age, `hybrid`, with its file key.
IDENTITY = "AGE-SECRET-KEY-PQ-1HZLGZUPT4ETPKDEV8HSGFDCYZ4E522W0A7PU2LHT8EH9W6YLNC3SW78XKG"
FILE_KEY = b"YELLOW SUBMARINE"
RECIPIENT_SHA256 = "33a42c48b254135d6a3b65a8b687b33a84b8bfb3d2b99c92e1a203808f10d2c9"
BODY = b"jYPfilNAMjF0zGRYMYJqR/cTTzbiGxQMhG+8zZaitic"
ENCAPSULATED = (
    "NfLcgAbzvNgf0aRb4PANBvyDtIDDQKf84JhhFlnvT1NUAcbGNrArRZ/T+bc9l4xmK1DSl+PXk6nqqGBhaM1dUiT7X17TU1/b9haZ"
    "ZPzEalvZHFDMSevfiZshlnSgcpWh0qnpgTyboWTU+zbrH6YD2uhshbJoiuqh+PpXtDMstXx4CgxASrNVlfSl/caRTi24QjIXpCNw"
    "EE4FwHrmAwUqSHLUzGOHfiW/chOCTtDX591x41o6eZ4/Dt92VhoYKFcpiaWbRhbenZXUJxPS1C1sK84CVwkDH7LJjbYCnkxt3meu"
    "l8kKWihZsStZYd/6bozqczOX7zN5PbaYD1XpYwMwedzWmPmQzxBybD8ZodcR7hF7WUxSmFVH7ExiYH3ZNbDAVcgGwlkTFmUmaTCb"
    "jGZTv8M+ejmvStQHgCtPi4GGRdJFr3HzvRzm6bvrdF/rdSPRFtRVM7D9o7ZAAquD1PByE0Y5YCR4/vmTlIlRwFXk4be+TsAI+Got"
    "ujou6nrigwnfqoGiNSvi/ZVvSKnDoZPIE5qwONCeeJB8CeRhqXEjvgtwc2zcWUBtjSJgNL+j887k2h0xlXpQqlmDDHsBOCP3/VoM"
    "+NZURqI+RoTudcwTl8TgmhGrQytnovuWFDvE9HgPAs67dPRC64/3RES3hF2C6/R1pQAnC7S2iSijJnyFlaDJWfcZvvNoamphDv63"
    "kUNb7b9V8E+xwqF8GkuXJnBFDo0PuJz8qWH7sDMEOhIInmanDiu6K/9jOCubYNdNcXrjQknlvk1kFdjZ2xYnC6QuqA5+qHMBpgrg"
    "301PX154X4KUcxA3PoFyYNexaBK3njks7PNxl7HyZIWjjDlz50WrQnEqBjl8RVVuneL3vgVyU45GSVWQVOH4K6aepWP0+p7WUD52"
    "rhdVH5HPZWQL3v8TjEz80Aeb87+1s1wgM+5skNX4LpOyuhRxQ/ChXsVZrVJ8SRsBlO4K+CJ271rHj8l8NEhRE2O/ZKHst8Be/6j5"
    "c9SUmRRqvI+6bcg0Bcq7Wi7d08vDQqjC2cOi112CGra5mazd/NCICC81oYkMmTxtM9ficfIhvt9nHaZSQh27tzJ3xRWOegwzDOaN"
    "jrtJ7yvCXbV9iQ6boiCl6wdmIn7k9sI30wIuHcVU1Cr+ENWhqVyRiAKktgvxegDnqvRB2n1aHKovp60Fs7YIDrclscRFikV45x0R"
    "NBdVtUkWD430vZgekkZdnwpeHxGV9TIe2FCNooQzUzx6v4ft0sZ5SYI490F2sYZu/sig4IB/KOzVfPXBX9dkftLgZTWtfP7GI9Nj"
    "EitLn/lYTh2jfSKTYZSM+BQt16m2yg/4X7xftA2P3fSyU1zWineocz4DKyilWmVhPRjy9LrTPtQWVVNGrVfUsNYwWHJX6FwkF7JN"
    "bCqLEQueMjPhc9cnr66uF+Wt1IsuTj278MgyZqYlr7mkW91zyWJMSIXTKmqv5um9ypc3IJUmkvs67A91XA8vspARsUM4Jw"
)


def self_test() -> None:
    """Open a known stanza, then seal and open a fresh one; raises SelfTestError if either fails."""
    try:
        identity = HybridIdentity.from_text(IDENTITY)
        known = identity.unwrap([Stanza((KIND, ENCAPSULATED), decode_base64(BODY))])
        fresh = identity.unwrap([identity.recipient.wrap(FILE_KEY)])
    except (Malformed, ValueError) as exc:
        raise SelfTestError("post-quantum encryption does not work here") from exc
    public = hashlib.sha256(identity.recipient.raw).hexdigest()
    if (known, fresh, public) != (FILE_KEY, FILE_KEY, RECIPIENT_SHA256):
        raise SelfTestError("post-quantum encryption gives wrong answers here")
