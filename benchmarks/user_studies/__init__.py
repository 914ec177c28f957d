"""Studies as their users run them: pruners, failures, own costs, growing spaces; by trials."""
