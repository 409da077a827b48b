"""`python -m fgsd.cli` runs `fgsd`."""

from fgsd.cli.main import main

if __name__ == "__main__":
    main()
