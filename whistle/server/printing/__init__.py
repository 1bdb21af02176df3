"""What an organisation hangs up and hands out: a poster, cards and slips for the twelve words, as PDF to print."""
