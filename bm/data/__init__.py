"""From a recording to a batch: preprocessing, store, segments, splits, scaling, loader."""
