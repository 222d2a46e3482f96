//! Nothing: the package is its list of features.
