"""``completion``: the script that makes a shell complete our verbs and options."""

from __future__ import annotations

import click

from bluegreen.cli.lazy import verb
from bluegreen.cli.session import Session, pass_session


@verb(
    "completion",
    'eval "$(bluegreen completion bash)"',
    "bluegreen completion zsh > ~/.zfunc/_bluegreen",
    "bluegreen completion fish > ~/.config/fish/completions/bluegreen.fish",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@pass_session
def completion(session: Session, shell: str) -> None:
    """Print the completion script for a shell."""
    from click.shell_completion import get_completion_class

    root = click.get_current_context().find_root()
    program = root.info_name or "bluegreen"
    kind = get_completion_class(shell)
    assert kind is not None, shell
    script = kind(root.command, {}, program, f"_{program.replace('-', '_').upper()}_COMPLETE").source()
    session.emit({"shell": shell, "script": script}, script)
