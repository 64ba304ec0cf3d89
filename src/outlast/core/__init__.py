"""The pure core: what happened (events), what that amounts to (state), what is needed next (decide)."""
