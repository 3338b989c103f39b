"""Releases a service as a program does: brings its stack up, follows a release, goes back."""

from __future__ import annotations

import sys

from bluegreen.client import Bluegreen, BluegreenError, stack_file


def main(image: str, port: int) -> int:
    controller = Bluegreen(stack="client")
    try:
        wanted = stack_file("stack.yml", publish={8080: port})
        planned = controller.plan(wanted)
        for begun in controller.up(wanted, planned=planned).rollouts:
            print("up:", "promoted" if controller.wait(begun).promoted else "failed")

        release = controller.deploy("web", image=image)
        if release is None:
            return 1
        for event in controller.follow(release):
            print(" ", event.message)
        ended = controller.rollout(release.id)
        print("promoted" if ended.promoted else ended.reason)

        (web,) = controller.services()
        print("live:", web.live_color, "release", web.live_release)
        back = controller.rollback("web")
        if back is not None:
            print("back:", controller.wait(back).phase)
        controller.down("client")
    except BluegreenError as error:
        print(f"{error.message} [{error.code}] {error.hint}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
