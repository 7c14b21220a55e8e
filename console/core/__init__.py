"""What we know of all clouds, and how it is kept fresh: settings, clock, store, pollers, fleet, timeline."""
