"""The command line of fgsd."""

from fgsd.threads import limit_spinning

limit_spinning()
