"""From sums of counts to physics: luminosity, weights, spectra, significance."""
