"""Ways to tell people what happens."""
