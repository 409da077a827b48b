"""The command line of fgsd."""
