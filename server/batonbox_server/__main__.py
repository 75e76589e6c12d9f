"""`python -m batonbox_server`."""

from batonbox_server.cli import main

main()
