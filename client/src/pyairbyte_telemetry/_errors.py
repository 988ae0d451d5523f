"""What the host library's `on_error` gets."""


class DeliveryError(Exception):
    """Events were not stored. `outcome` is `lost` or `refused`, `status` the answer's if there was one."""

    def __init__(self, outcome: str, status: int | None, reason: str) -> None:
        super().__init__(f"{outcome}: {reason}" + (f" (status {status})" if status is not None else ""))
        self.outcome = outcome
        self.status = status
        self.reason = reason
