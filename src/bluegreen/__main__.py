"""``python -m bluegreen``: the same program as the ``bluegreen`` command."""

from bluegreen.cli.main import main

if __name__ == "__main__":
    main()
