"""Files of products that shops have: one module per format, and what formats share."""
