"""Performing effects, one module an effect. Each returns the events that end it."""
