"""What a log says: items, steps, status, waiting, spans, usage. It reads, and writes nothing."""
