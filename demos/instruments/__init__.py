"""What several demos share and no lesson teaches: under which names their pages are asked for."""
