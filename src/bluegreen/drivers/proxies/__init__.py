"""What the drivers of reverse proxies share: names, ports, and what contradicts itself."""
