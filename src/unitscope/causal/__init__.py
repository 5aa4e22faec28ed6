"""What units do: how much of an output flows through them, and what the network does without them."""
