//! MinHash signatures and LSH buckets.
