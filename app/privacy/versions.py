"""Versions of programs in four parts, `1.2.3.4`, which look like addresses.

The detector cannot tell them apart; where they stand, tells: in what a program says of itself. Only there
they are taken out before it looks, and only what has the form of an address.
"""

import re
from collections.abc import Mapping
from typing import Final

VERSION: Final = rb"v?)[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9.])"
NAMED: Final = rb'(?:version|build)":"'  # the value of such a key
PRODUCT: Final = rb"[a-z]/"  # `Chrome/113.0.0.0`
AFTER_WORD: Final = rb"[a-z] "  # `Unix 5.15.0.91`
# Any value of an SDK's `library`, but of a key that names something else or a machine.
OF_LIBRARY: Final = rb'(?<!name)(?<!ip)(?<!host)(?<!addr)(?<!address)":"'


def compile_forms(*forms: bytes) -> re.Pattern[bytes]:
    """Return the pattern of versions that stand behind one of these forms."""
    return re.compile(rb"(?i)((?:" + b"|".join(forms) + b")" + VERSION)


# By key of the envelope, over the canonical form of its value.
FORMS: Final[Mapping[str, re.Pattern[bytes]]] = {
    "library": compile_forms(NAMED, PRODUCT, OF_LIBRARY),
    **dict.fromkeys(("os", "platform", "runtime"), compile_forms(NAMED, PRODUCT, AFTER_WORD)),
    **dict.fromkeys(
        ("app", "device", "userAgent", "userAgentData", "_metadata"), compile_forms(NAMED, PRODUCT)
    ),
}


def veil(key: str, form: bytes) -> bytes:
    """Return the canonical form of what a key of the envelope holds, versions in four parts shortened."""
    pattern = FORMS.get(key)
    return form if pattern is None else pattern.sub(rb"\g<1>0", form)
