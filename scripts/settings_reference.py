"""docs/settings.md from `workspacesio.settings.SETTINGS`."""

from workspacesio.settings import SETTINGS


def markdown() -> str:
    lines = [
        "# Settings",
        "",
        "Settings of the server are environment variables. Those of the client are in [commands](commands.md).",
        "",
        "| variable | default | meaning |",
        "|---|---|---|",
    ]
    lines += [f"| `{setting.name}` | {setting.default} | {setting.meaning} |" for setting in SETTINGS]
    return "\n".join(lines) + "\n"
