"""Rollups: from events to attempts and sums by user and day, by retract-and-replace.

The write transaction marks every session that it touched (`dirty_sessions`). A worker recomputes what a
marked session contributes from its events and adds the difference to what it contributed before. A
contribution is a pure function of the set of events, so late, duplicate and reordered events, crashes and
several workers change nothing.
"""
