//! The time a page may take.

use std::time::{Duration, Instant};

pub struct Clock {
    end: Instant,
}

impl Clock {
    pub fn new(limit: Duration) -> Self {
        Self {
            end: Instant::now() + limit,
        }
    }

    /// An error once the time is over. Loops over a page ask every thousand steps or so.
    pub fn check(&self) -> Result<(), String> {
        if Instant::now() < self.end {
            Ok(())
        } else {
            Err("too long: the page took more time than a page may".into())
        }
    }
}
