"""novadeck: every server of every cloud, region and project in one live terminal table."""
