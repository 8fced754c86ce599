"""The JSON API: parse, identify, call a use case, render. No rules."""
