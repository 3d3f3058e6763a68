"""The JSON APIs: verification records, identities and their tokens, sessions, the account."""
