"""The controllers: each watches for changes and brings objects nearer to their specs."""
