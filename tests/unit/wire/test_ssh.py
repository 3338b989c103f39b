"""What an ``ssh://`` address means to ssh, and that none can be anything else than an address."""

from __future__ import annotations

import pytest

from bluegreen.domain.errors import UserError
from bluegreen.wire import ssh
from bluegreen.wire.address import parse


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("ssh://box", ssh.Target(host="box")),
        ("ssh://Box.example/", ssh.Target(host="Box.example")),
        ("ssh://ann@box:2222", ssh.Target(host="box", user="ann", port="2222")),
        ("ssh://DOM\\ann@box", ssh.Target(host="box", user="DOM\\ann")),
        ("ssh://box/srv/my shop/bg.sock", ssh.Target(host="box", socket="/srv/my shop/bg.sock")),
        ("ssh://[2001:db8::1]:22/x", ssh.Target(host="2001:db8::1", port="22", socket="/x")),
    ],
)
def test_an_address_says_where_ssh_goes(text: str, target: ssh.Target) -> None:
    address = parse(text)
    assert (address.ssh, address.path, address.host) == (target, "", "")


@pytest.mark.parametrize(
    "text",
    [
        "ssh://-oProxyCommand=touch%20x",
        "ssh://-oProxyCommand=x/sock",
        "ssh://box:-oProxyCommand=x",
        "ssh://-l@box",
        "ssh://@box",
        "ssh://ann:secret@box",
        "ssh://$(id)@box",
        "ssh://a;id",
        "ssh://a b",
        "ssh://box\n",
        "ssh://box:0",
        "ssh://box:99999",
        "ssh://[-oX]:1",
        "ssh://box/sock?x=1",
        "ssh://box/a\nb",
        "ssh://",
        "ssh:box",
        "ssh:///run/x.sock",
    ],
)
def test_what_could_be_an_option_or_a_command_is_no_address(text: str) -> None:
    with pytest.raises(UserError) as raised:
        parse(text)
    assert raised.value.code == "bad_host"
    assert "ssh://[USER@]HOST" in raised.value.hint
    assert "secret" not in raised.value.message


def test_the_command_keeps_the_host_from_being_an_option_and_quotes_the_path() -> None:
    target = ssh.Target(host="box", user="ann", port="22", socket="/srv/my shop/$(id).sock")
    words = ssh.command(target, prompts=False)
    assert words[-2:] == ["box", "bluegreen dial-stdio --json --socket '/srv/my shop/$(id).sock'"]
    assert words[-3] == "--"
    assert words[words.index("-l") + 1] == "ann"
    assert "BatchMode=yes" in words
    assert "BatchMode=yes" not in ssh.command(target, prompts=True)
