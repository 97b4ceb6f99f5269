//! Word splitting shared by the rules, the shingles and the classifiers.
