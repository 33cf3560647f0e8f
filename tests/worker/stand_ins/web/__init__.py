"""Stands in for our pages where `postwagen serve` is tested: the pages have tests of their own."""
