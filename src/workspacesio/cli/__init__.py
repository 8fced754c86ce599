"""The command line. Every command but `wio serve` and `wio admin` knows only the HTTP API."""
