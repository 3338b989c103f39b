"""What Prometheus is told: what is true now, asked at each scrape, and what was counted since the start."""
