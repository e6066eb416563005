"""`make swarm`: do people get their share when scripts want it too? A race over real HTTP, counted by account."""
