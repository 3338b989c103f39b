"""The dashboard: pages that the server renders, kept up to date by a stream where there is a script."""
