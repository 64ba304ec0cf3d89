"""Conversations that span runs."""
