"""What goes over the wire: routes, bodies, streams, faults and the pacing of time."""
