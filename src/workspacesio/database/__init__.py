"""Tables, sessions (the only commit), facts for decisions, and the one visibility rule in SQL."""
