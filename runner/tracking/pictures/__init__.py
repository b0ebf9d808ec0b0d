"""Pictures of what was fetched. Planning them imports no matplotlib; drawing does."""
