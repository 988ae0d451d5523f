"""Who may read the pages: whoever has the cookie of a login, and whom a trusted proxy has authenticated."""

from fastapi import Request

from app.pages.session import COOKIE, Session
from app.web.peers import Peers


class Entrance:
    """The one question of every page: is this reader let in?"""

    def __init__(self, session: Session, peers: Peers, user_header: str = "") -> None:
        """`user_header` is how trusted proxies name the user whom they authenticated; empty: none does."""
        self.session = session
        self.peers = peers
        self.user_header = user_header

    def lets_in(self, request: Request) -> bool:
        """Return whether the sender of a request may read the pages."""
        return self.is_vouched_for(request) or self.session.is_open(request.cookies.get(COOKIE, ""))

    def is_vouched_for(self, request: Request) -> bool:
        """Return whether a trusted proxy names a user. Who it is is neither asked nor kept.

        A header that stands twice is the reader's own beside the proxy's, so it vouches for nobody.
        """
        if not self.user_header or request.client is None or not self.peers.is_trusted(request.client.host):
            return False
        named = request.headers.getlist(self.user_header)
        return len(named) == 1 and bool(named[0].strip())

    def find_address(self, request: Request) -> str:
        """Return the sender's address behind trusted proxies, for the bound of
        tries only; it is never kept."""
        return self.peers.find(request.scope)
