"""What authors and hosts test with: a provider that is under control. Imported by no runtime module."""
