"""The network under explanation: read, cut, gated and handed back as it came."""
