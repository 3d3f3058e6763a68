"""A fresh access token for whoever needs one: when to refresh, who refreshes, and what a failure means."""
