# Named by database.yaml; nothing runs it.
