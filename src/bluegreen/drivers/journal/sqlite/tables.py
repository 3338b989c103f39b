"""The tables: what is asked for by column, and the whole value as a JSON document beside it.

This is the schema at its newest; how a file gets there is in ``migrations/``. A test compares the
two.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, MetaData, Table, Text, text

REVISIONS = ("0001", "0002", "0003", "0004")
"""Every schema this version knows, oldest first; the last one is what it works with."""

APPLICATION_ID = 0x62677265
"""Marks the file as ours in its header ("bgre"), so that nobody else's database is taken for it."""

metadata = MetaData()

stacks = Table(
    "stacks",
    metadata,
    Column("name", Text, primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("document", Text, nullable=False),
)

services = Table(
    "services",
    metadata,
    Column("stack", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("document", Text, nullable=False),
)

releases = Table(
    "releases",
    metadata,
    Column("stack", Text, primary_key=True),
    Column("service", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("document", Text, nullable=False),
)

# ``seq`` is the order of creation: clocks are set back, this is not.
rollouts = Table(
    "rollouts",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("stack", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("final", Boolean, nullable=False),
    Column("document", Text, nullable=False),
    Index("rollouts_of_service", "stack", "service", "seq"),
    Index("rollouts_under_way", "seq", sqlite_where=text("final = 0")),
    sqlite_autoincrement=True,
)

# AUTOINCREMENT: an id is never used twice, even after the newest rows were pruned away.
events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("stack", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("rollout", Text, nullable=False),
    Column("document", Text, nullable=False),
    Index("events_of_service", "stack", "service", "id"),
    Index("events_of_rollout", "rollout", "id"),
    sqlite_autoincrement=True,
)

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("expires_at", Float, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False, unique=True),
    Column("document", Text, nullable=False),
    sqlite_autoincrement=True,
)

# ``words`` is what a search looks through.
deeds = Table(
    "deeds",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("stack", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("words", Text, nullable=False),
    Column("document", Text, nullable=False),
    Index("deeds_of_stack", "stack", "id"),
    Index("deeds_of_who", "who", "id"),
    sqlite_autoincrement=True,
)

answers = Table(
    "answers",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("who", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("request", Text, nullable=False),
    Column("at", Float, nullable=False),
    Column("after", Integer, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Index("answers_of_key", "who", "key", unique=True),
    Index("answers_by_age", "at"),
    sqlite_autoincrement=True,
)

hooks = Table(
    "hooks",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False, unique=True),
    Column("document", Text, nullable=False),
    sqlite_autoincrement=True,
)

hook_deliveries = Table(
    "hook_deliveries",
    metadata,
    Column("hook", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("sent_at", Float, nullable=False),
    Column("digest", Text, nullable=False),
    Column("rollout", Text, nullable=False),
    Column("taken_at", Float, nullable=False),
    Index("hook_deliveries_by_age", "taken_at"),
)
