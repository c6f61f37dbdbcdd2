"""The loop on which every task family runs: epochs, saving, resuming, stopping."""
