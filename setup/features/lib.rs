//! An empty library: the package consists only of its list of features.
