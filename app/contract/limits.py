"""How much may arrive at once. Segment's documented limits; bytes are counted after inflating."""

from typing import Final

EVENT_BYTES: Final = 32 * 1024
BATCH_BYTES: Final = 500 * 1024
BATCH_EVENTS: Final = 2_500
EVENT_DEPTH: Final = 5  # containers inside one another, the event itself being the first
