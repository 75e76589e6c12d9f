"""The batonbox client."""
