//! HTML to text with maths and code kept.
