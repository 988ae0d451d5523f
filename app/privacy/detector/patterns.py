r"""What personal data and secrets look like, in RE2's syntax, over UTF-8 as bytes.

RE2 knows no look-around, so what may stand around a match is written as characters. `\x80-\xff` is a
letter of another script; `text` has folded whatever imitates ASCII. Counted repetitions stand behind a
beginning that is rare or that the repeated class cannot hold: an automaton grows with the number of
matches that can be under way at once.
"""

from collections.abc import Mapping
from typing import Final

BEFORE: Final = "(?:^|[^0-9A-Za-z])"
AFTER: Final = "(?:$|[^0-9A-Za-z])"
# Around groups of digits: no digit, and no group of digits before a separator either.
BEFORE_GROUPS: Final = "(?:^|[^0-9A-Za-z.-]|[^0-9][.-]|^[.-])"
AFTER_GROUPS: Final = "(?:$|[^0-9A-Za-z.-]|[.-][^0-9]|[.-]$)"

OCTET: Final = "(?:25[0-5]|2[0-4][0-9]|[01]?[0-9]?[0-9])"
H: Final = "[0-9a-f]{1,4}"
D: Final = (
    "(?:[0-9][0-9a-f]{0,3}|[a-f][0-9][0-9a-f]{0,2}|[a-f]{2}[0-9][0-9a-f]?|[a-f]{3}[0-9])"  # with a digit
)
X: Final = "[0-9a-f]"
LETTERED: Final = f"(?:[a-f]{X}{X}{X}|{X}[a-f]{X}{X}|{X}{X}[a-f]{X}|{X}{X}{X}[a-f])"
WEAK: Final = "(?:pass|secret|token|pin|otp|auth|credentials?)"
ASSIGN: Final = r"""["']?\s*(?:=>|:=|=|:)\s*["']?"""

# By kind. Kinds are stable: they are rules that senders see, with `pii_` before them.
PATTERNS: Final[Mapping[str, tuple[str, ...]]] = {
    "private_key": (
        r"(?i)BEGIN (?:[0-9A-Z]+ )*PRIVATE KEY",
        r"-----BEGIN [0-9A-Za-z ]+-----",
        r"(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-nistp[0-9]+) AAAA",
        r"(?i)PuTTY-User-Key-File|AGE-SECRET-KEY-1",
    ),
    "jwt": (r"(?i)" + BEFORE + r"eyJ[0-9A-Z_-]{6,}\.[0-9A-Z_-]{6}",),
    "aws_key": (
        BEFORE + r"(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA|ANVA|APKA|ABIA|ACCA)[0-9A-Z]{16}" + AFTER,
        r"(?i)aws.{0,3}secret.{0,20}[=:]\s*[\"']?[0-9A-Z/+]{20}",
    ),
    "gcp_key": (
        r"(?i)AIza[0-9A-Z_-]{30}",
        r"(?i)" + BEFORE + r"ya29\.[0-9A-Z_-]{10}",
        r"(?i)GOCSPX-[0-9A-Z_-]{20}",
    ),
    "github_token": (
        r"(?i)gh[pousr]_[0-9A-Z]{20}",
        r"(?i)github_pat_[0-9A-Z_]{20}",
        r"(?i)glpat-[0-9A-Z_-]{16}",
    ),
    "slack_token": (
        r"(?i)xox[a-z]-[0-9A-Z-]{10}",
        r"(?i)xapp-[0-9]-[0-9A-Z-]{10}",
        r"(?i)hooks\.slack\.com/",
    ),
    "stripe_key": (r"(?i)[prs]k_(?:live|test)_[0-9A-Z]{8}", r"(?i)whsec_[0-9A-Z+/=]{16}"),
    "api_key": (
        BEFORE + r"sk-[0-9A-Za-z]{20}",
        r"(?i)" + BEFORE + r"sk-(?:proj|ant|svcacct|or|lf)-[0-9A-Za-z_-]{16}",
        BEFORE + r"hf_[0-9A-Za-z]{30}",
        BEFORE + r"npm_[0-9A-Za-z]{30}",
        r"pypi-AgE[0-9A-Za-z_-]{16}",
        BEFORE + r"SG\.[0-9A-Za-z_-]{16,}\.[0-9A-Za-z_-]{16}",
        BEFORE + r"(?:SK|AC)[0-9a-f]{32}" + AFTER,
        BEFORE + r"key-[0-9a-f]{32}" + AFTER,
        BEFORE + r"[0-9a-f]{32}-us[0-9]{1,2}" + AFTER,
        BEFORE + r"do[opr]_v1_[0-9a-f]{20}",
        BEFORE + r"dapi[0-9a-f]{32}",
        BEFORE + r"shp(?:at|ca|pa|ss)_[0-9A-Fa-f]{32}",
        BEFORE + r"pat(?:-(?:na|eu)1-[0-9a-f]{8}-|[0-9A-Za-z]{14}\.[0-9a-f]{16})",
        BEFORE + r"ATATT3[0-9A-Za-z_=-]{16}",
        BEFORE + r"(?:lin_api|dd_api|sbp|rnd|figd|xkeysib|secret)_[0-9A-Za-z]{32}",
        r"(?i)" + BEFORE + r"bearer\s+[0-9A-Z._~+/-]{20}",
        r"(?i)AccountKey=[0-9A-Z+/]{8}",
        r"(?i)[?&;]sig=[0-9A-Z%+/]{16}",
    ),
    "dsn": (
        r"(?i)[a-z][0-9a-z+.-]*://[^\s/@:]*:[^\s/@]+@[^\s]",
        r"(?i)[a-z][0-9a-z+.-]*://[^\s/@]+@[^\s]",
        r"(?i)" + BEFORE + r"jdbc:[a-z]",
        r"(?i):[^\s:@/]+@(?:tcp|unix)\(",
        r"(?i)[^\s:/@]:[^\s:@/]+@[0-9a-z._-]+:[0-9]{2,5}(?:$|[^0-9a-z])",
        r"(?i)"
        + BEFORE
        + r"(?:host|hostaddr|server|data source|addr|address)\s*=\s*[^\s;,]+[\s;,]"
        + r"(?:.*[\s;,])?(?:user|uid|user id|username|dbname|database|initial catalog)\s*=\s*[^\s;,]",
    ),
    "secret": (
        # Words that stand for nothing else: any assignment.
        r"(?i)(?:password|passwd|passphrase|passwort|api[ _-]?key|access[ _-]?key|private[ _-]?key"
        r"|account[ _-]?key|(?:auth|access|refresh|session|bearer|id)[ _-]?token"
        r"|(?:client|shared|app)[ _-]?secret|secret[ _-]?key"
        r"|(?:^|[^0-9a-z])(?:pwd|authorization|cookie|set-cookie))(?:[ _-]?(?:id|value))?"
        + ASSIGN
        + r"""[^\s"'=:;,]""",
        # Words of prose and of image tags (`acme/source-token:1.2`): `=`, or as a
        # key of JSON, or a long value.
        r"(?i)" + BEFORE + WEAK + r"""["']?\s*(?:=>|:=|=)\s*["']?[^\s"'=:;,]{3}""",
        r"(?i)" + BEFORE + WEAK + r"""["']\s*:\s*["']?[^\s"'=:;,]{3}""",
        r"(?i)" + BEFORE + WEAK + r"\s*:\s+[0-9a-z_.+/-]{12}",
        r"(?i)" + BEFORE + r"secret\s*:\s+[^\s=:;,]{3}",
        r"(?i)" + BEFORE + r"basic\s+[0-9a-z+/]{6,}=",
    ),
    "email": (
        r"""(?i)[^\s@<>()\[\]{},;:"\\]["']?@(?:[0-9a-z_\x80-\xff][0-9a-z_\x80-\xff-]*\.)+(?:[a-z\x80-\xff]{2}|xn--)""",
        r"(?i)[0-9a-z_.-]@localhost(?:$|[^0-9a-z.-])",
    ),
    "url": (r"(?i)[a-z][0-9a-z+.-]*://[^\s/]", r"(?i)" + BEFORE + r"www\.[0-9a-z-]+\.[a-z]{2}"),
    "path": (
        r"(?i)[/\\](?:home[0-9]?|users|documents and settings)[/\\]+[^/\\\s\"'<>|:*?,;()]",
        r"(?:^|[^0-9A-Za-z_\\])\\\\+[0-9A-Za-z_.$\x80-\xff-]+\\+[0-9A-Za-z_$\x80-\xff]",
        r"(?:^|[^0-9A-Za-z:/])//[0-9A-Za-z][0-9A-Za-z_.-]*/[0-9A-Za-z_$]",
        r"(?:^|[^0-9A-Za-z/\\])~[A-Za-z_][0-9A-Za-z_.-]*[/\\]",
    ),
    "ipv4": (r"(?:^|[^0-9.]|[^0-9]\.|^\.)" + rf"{OCTET}(?:\.{OCTET}){{3}}" + r"(?:$|[^0-9.]|\.[^0-9]|\.$)",),
    "ipv6": tuple(
        r"(?i)(?:^|[^0-9a-z:_.])(?:" + address + r")(?:$|[^0-9a-z:_.]|\.[^0-9a-z]|\.$)"
        for address in (
            f"(?:{H}:){{7}}{H}",
            f"(?:{H}:){{2,6}}(?::{H}){{1,5}}",
            f"{H}:(?::{H}){{2,6}}",
            f":(?::{H}){{3,7}}",
            f"{D}::{H}|{H}::{D}|::{D}|{D}::|::{H}:{H}",
            f"(?:{H}:){{2,7}}:",
        )
    ),
    "mac": (
        rf"(?i){BEFORE}{X}{{2}}(?:(?::{X}{{2}}){{5}}|(?:-{X}{{2}}){{5}}|(?::{X}{{2}}){{7}}|(?:-{X}{{2}}){{7}}){AFTER}",
        rf"(?i){BEFORE}(?:{LETTERED}\.{X}{{4}}\.{X}{{4}}|{X}{{4}}\.{LETTERED}\.{X}{{4}}|{X}{{4}}\.{X}{{4}}\.{LETTERED}){AFTER}",
    ),
    "hostname": (
        r"(?i)" + BEFORE + r"(?:ip|ec2)[-_.][0-9]{1,3}(?:[-_.][0-9]{1,3}){3}(?:$|[^0-9])",
        r"(?i)[0-9a-z_\x80-\xff-]\.(?:local|localdomain|corp|internal|intranet|lan|home|home\.arpa)\.?(?:$|[^0-9a-z_.-])",
    ),
    "ssn": (
        BEFORE_GROUPS + r"[0-9]{3}(?:-[0-9]{2}-| [0-9]{2} )[0-9]{4}" + AFTER_GROUPS,
        r"(?i)" + BEFORE + r"(?:ssn|social security(?: number)?)[ #:=]*[0-9]{9}(?:$|[^0-9])",
    ),
    "card": (r"(?:^|[^0-9])[2-6](?:[0-9]{12}|[0-9]{3}[ ._/-][0-9]{4}[ ._/-]?[0-9]{2}[ ._/-]?[0-9]{2})",),
    "iban": ("(?i)" + BEFORE + r"[a-z]{2}[0-9]{2}[ -]?[0-9a-z]{3}",),
    "phone": (
        r"(?i)(?:^|[^0-9a-z]|tel|phone|fax|mobile|cell|whatsapp)\+[ (]{0,2}"
        r"[1-9](?:[ ()./-]{0,3}[0-9]){7,14}(?:$|[^0-9])",
        BEFORE_GROUPS
        + r"(?:1[ .-])?(?:\([2-9][0-9]{2}\)[ .-]?|[2-9][0-9]{2}[ .-])[2-9][0-9]{2}[ .-][0-9]{4}"
        + AFTER_GROUPS,
        BEFORE_GROUPS + r"\(?0[1-9][0-9]{1,4}\)?[ /-]{1,3}[0-9]{3,4}[ -]?[0-9]{3,5}" + AFTER_GROUPS,
        BEFORE_GROUPS + r"0[1-9](?:[ .-][0-9]{2}){4}" + AFTER_GROUPS,
        BEFORE_GROUPS + r"00[1-9][0-9]{0,2}[ ./-](?:[ ./()-]{0,2}[0-9]){6,12}" + AFTER_GROUPS,
        r"(?i)(?:^|[^0-9a-z])(?:tele)?(?:phone|tel|mobile|fax|whatsapp)(?:[ _-]?(?:number|no))?"
        r"[\"']?[.:= ]{1,3}[\"']?[(0-9][ ()./-]?(?:[0-9][ ()./-]{0,2}){6}",
    ),
}
# Which kinds share an automaton; the more telling kinds come first. All in one would need states for every
# combination of half-seen numbers: 32 KB of digits then take 100 ms instead of 1.
GROUPS: Final = (
    ("private_key", "jwt", "aws_key", "gcp_key", "github_token", "slack_token", "stripe_key"),
    ("api_key",),
    ("dsn",),
    ("secret",),
    ("email", "url", "path", "hostname", "ipv4", "ssn"),
    ("ipv6",),
    ("mac", "iban", "card"),
    ("phone",),
)
KINDS: Final = tuple(kind for group in GROUPS for kind in group)
