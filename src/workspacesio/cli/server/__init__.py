"""`wio serve` and `wio admin`: the only commands that touch the server's own state."""

import argparse


def serve(arguments: argparse.Namespace) -> int:
    """Run the service, or one part of it, until it is stopped. Returns the exit status."""
    from workspacesio.cli.server.serving import serve as run

    return run(arguments)


def admin(arguments: argparse.Namespace) -> int:
    """Commands for whoever has a shell on the server. Returns the exit status."""
    from workspacesio.cli.server.administration import setup_token

    return setup_token(arguments)
