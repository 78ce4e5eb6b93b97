"""After the claim: who is at work, when machines rest and wake, and how files outlive them."""
