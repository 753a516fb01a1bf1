"""What can go wrong between a gateway and its clients, and scenarios made of it."""
