"""What is in a file besides its name: content type, facts, words; read by confined processes, never by the server.

task, walks which entries are due, and what becomes of what was found        (worker process)
sources     the bytes of one entry, as a descriptor or by ranges             (worker process)
pool        hands files to children, holds them to the clock                 (worker process)
nursery     the clean process that children are forked from                  (its own process)
child       looks at one file after the other                                (a confined process)
kinds/      the extractors that come with WorkspacesIO
"""
