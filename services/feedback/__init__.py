"""What shoppers saw and did."""
