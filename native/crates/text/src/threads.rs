//! Thread pools for the batch passes: one for each thread count that was asked for, kept.

use rayon::{ThreadPool, ThreadPoolBuilder};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Runs `work` with this many threads; 0 means SMOLFORGE_THREADS or, without it, all cores.
pub fn with_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    match pool(if threads == 0 {
        default_threads()
    } else {
        threads
    }) {
        Some(pool) => pool.install(work),
        // A machine that refuses new threads still has this one: rayon then runs on its global pool.
        None => work(),
    }
}

fn default_threads() -> usize {
    std::env::var("SMOLFORGE_THREADS")
        .ok()
        .and_then(|threads| threads.parse().ok())
        .filter(|&threads| threads > 0)
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |cores| cores.get()))
}

fn pool(threads: usize) -> Option<Arc<ThreadPool>> {
    static POOLS: Mutex<Option<HashMap<usize, Arc<ThreadPool>>>> = Mutex::new(None);
    let threads = threads.min(256);
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    let pools = pools.get_or_insert_with(HashMap::new);
    if let Some(pool) = pools.get(&threads) {
        return Some(pool.clone());
    }
    let pool = Arc::new(ThreadPoolBuilder::new().num_threads(threads).build().ok()?);
    pools.insert(threads, pool.clone());
    Some(pool)
}
