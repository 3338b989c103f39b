"""Fixtures that every test may use."""

pytest_plugins = ["tests.support.docker_engine", "tests.support.haproxy_ways", "tests.support.nginx_ways"]
