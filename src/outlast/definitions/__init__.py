"""What users write: agents, tools, handoffs, guardrails, settings, hooks."""
