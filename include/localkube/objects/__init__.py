"""What an object is and may be, and where objects are kept."""
