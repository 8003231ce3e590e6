"""Files of events: what shoppers did, in our own form and in those of others."""
