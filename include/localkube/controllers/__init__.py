"""The controllers: each works off what changes and brings it nearer to what was asked for."""
