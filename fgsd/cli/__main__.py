"""`python -m fgsd.cli` is `fgsd`."""

from fgsd.cli.main import main

if __name__ == "__main__":
    main()
