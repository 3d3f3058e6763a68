"""What ``connectors-host`` adds to the script ``connectors``."""
