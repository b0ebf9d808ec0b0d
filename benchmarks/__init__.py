"""How fast Feedfetch is beside its peers, measured in one run and shown as ratios."""
