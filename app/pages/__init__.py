"""The pages: the reports' tables as HTML and pictures for people, the login, the
live view and the public pages.

No figure is computed here: what a page shows stands in the table of its JSON twin.
"""
