"""The OpenID provider for the applications of the configuration file, in Logto's path layout."""
