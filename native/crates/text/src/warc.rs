//! WARC and gzip reading that accounts for every byte.
