"""``python -m nessflow``."""

from nessflow.cli import main

main()
