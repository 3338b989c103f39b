"""Who may call what: where a request came in, whose it is, what its role allows, and the trail it leaves."""
