"""The miniature: a small language of facts in four languages and four tones, and its oracle."""
