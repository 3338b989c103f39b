"""bluegreen: zero-downtime releases for web services on your own Docker hosts."""

__version__ = "0.1.0"
