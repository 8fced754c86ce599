"""What a program needs to work with a service: sign-in, the HTTP API, credentials, objects."""
