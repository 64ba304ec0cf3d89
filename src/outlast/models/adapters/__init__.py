"""Models of providers that another library speaks to."""
