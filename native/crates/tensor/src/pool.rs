//! The threads of the process: they spin a little, then park, and take the tasks of one call at a time.
//!
//! Tasks are cut by shape alone and each writes its own part of the output, so it does not matter who takes which.
//! A call that finds the pool busy with a call of another Node worker does its tasks by itself.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, OnceLock};
use std::thread::{self, Thread};

/// Calls `work(task, worker)` once for every task below `tasks`; `worker` is below `threads` and two tasks that run
/// at once have different ones. Returns when all are done.
pub fn run(threads: usize, tasks: usize, work: &(dyn Fn(usize, usize) + Sync)) {
    if threads > 1
        && tasks > 1
        && let Ok(mut workers) = POOL.get_or_init(Pool::default).workers.try_lock()
    {
        return run_shared(&mut workers, threads, tasks, work);
    }
    for task in 0..tasks {
        work(task, 0);
    }
}

#[derive(Default)]
struct Pool {
    workers: Mutex<Vec<Thread>>,
    job: AtomicPtr<Job>,
    /// The number of the job: two of them may live at the same address.
    generation: AtomicUsize,
    /// Workers that may be looking at `job`.
    inside: AtomicUsize,
    parked: AtomicUsize,
}

/// Lives on the stack of the caller, who leaves only after `job` is null again and nobody is inside.
struct Job {
    work: *const (dyn Fn(usize, usize) + Sync),
    generation: usize,
    tasks: usize,
    next: AtomicUsize,
    threads: usize,
    panicked: AtomicBool,
}

static POOL: OnceLock<Pool> = OnceLock::new();
const SPINS: usize = 4_000;

fn run_shared(
    workers: &mut Vec<Thread>,
    threads: usize,
    tasks: usize,
    work: &(dyn Fn(usize, usize) + Sync),
) {
    let pool = POOL.get_or_init(Pool::default);
    while workers.len() + 1 < threads {
        match spawn(workers.len() + 1) {
            Some(thread) => workers.push(thread),
            None => break,
        }
    }
    // The lifetime is erased: no worker holds the pointer after the wait below.
    let work: *const (dyn Fn(usize, usize) + Sync) = unsafe { std::mem::transmute(work) };
    let job = Job {
        work,
        generation: pool.generation.load(SeqCst) + 1,
        tasks,
        next: AtomicUsize::new(0),
        threads,
        panicked: AtomicBool::new(false),
    };
    pool.generation.store(job.generation, SeqCst);
    pool.job.store(&job as *const Job as *mut Job, SeqCst);
    if pool.parked.load(SeqCst) > 0 {
        for worker in workers.iter().take(threads.min(tasks) - 1) {
            worker.unpark();
        }
    }
    let own = catch_unwind(AssertUnwindSafe(|| take_tasks(&job, 0)));
    job.next
        .fetch_add(if own.is_err() { tasks } else { 0 }, SeqCst);
    pool.job.store(std::ptr::null_mut(), SeqCst);
    let mut spins = 0;
    while pool.inside.load(SeqCst) > 0 {
        spins += 1;
        // A neighbour may have taken the core from the worker that we wait for.
        if spins > SPINS {
            thread::yield_now()
        } else {
            std::hint::spin_loop()
        }
    }
    if let Err(panic) = own {
        resume_unwind(panic);
    }
    assert!(
        !job.panicked.load(SeqCst),
        "a kernel panicked in a worker thread"
    );
}

fn take_tasks(job: &Job, worker: usize) {
    let work = unsafe { &*job.work };
    loop {
        let task = job.next.fetch_add(1, SeqCst);
        if task >= job.tasks {
            return;
        }
        work(task, worker);
    }
}

fn spawn(worker: usize) -> Option<Thread> {
    keep_loaded();
    let started = thread::Builder::new()
        .name(format!("smolforge-{worker}"))
        .spawn(move || serve(worker));
    started.ok().map(|handle| handle.thread().clone())
}

fn serve(worker: usize) {
    let pool = POOL.get_or_init(Pool::default);
    let mut done = 0;
    let mut spins = 0;
    let nothing = |done| pool.job.load(SeqCst).is_null() || pool.generation.load(SeqCst) == done;
    loop {
        if nothing(done) {
            spins += 1;
            if spins < SPINS {
                std::hint::spin_loop();
                continue;
            }
            pool.parked.fetch_add(1, SeqCst);
            // Looked at again after the count: who stores a job after this look sees the count and unparks.
            if nothing(done) {
                thread::park();
            }
            pool.parked.fetch_sub(1, SeqCst);
            spins = 0;
            continue;
        }
        pool.inside.fetch_add(1, SeqCst);
        // Read now that the caller waits for us: only this job is sure to be alive.
        let current = pool.job.load(SeqCst);
        if !current.is_null() {
            let job = unsafe { &*current };
            done = job.generation;
            if worker < job.threads
                && catch_unwind(AssertUnwindSafe(|| take_tasks(job, worker))).is_err()
            {
                job.panicked.store(true, SeqCst);
                job.next.fetch_add(job.tasks, SeqCst);
            }
        }
        pool.inside.fetch_sub(1, SeqCst);
        spins = 0;
    }
}

/// Node unloads an addon when the last worker that loaded it ends, but our threads still run its code.
fn keep_loaded() {
    #[cfg(unix)]
    unsafe {
        let mut info: libc::Dl_info = std::mem::zeroed();
        let here = keep_loaded as *const libc::c_void;
        if libc::dladdr(here, &mut info) != 0 && !info.dli_fname.is_null() {
            libc::dlopen(info.dli_fname, libc::RTLD_NOW | libc::RTLD_NODELETE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::run;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    #[test]
    fn every_task_runs_once_whoever_takes_it() {
        for round in 0..2_000 {
            let counts: Vec<AtomicUsize> = (0..round % 17).map(|_| AtomicUsize::new(0)).collect();
            run(3, counts.len(), &|task, worker| {
                assert!(worker < 3);
                counts[task].fetch_add(1, SeqCst);
            });
            assert!(counts.iter().all(|count| count.load(SeqCst) == 1));
        }
    }

    #[test]
    fn calls_from_several_threads_do_not_disturb_each_other() {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let total = AtomicUsize::new(0);
                        run(2, 20, &|task, _| {
                            total.fetch_add(task, SeqCst);
                        });
                        assert_eq!(total.load(SeqCst), 190);
                    }
                });
            }
        });
    }

    #[test]
    fn a_panic_in_a_task_reaches_the_caller_and_the_pool_goes_on() {
        let result = std::panic::catch_unwind(|| run(2, 8, &|task, _| assert!(task != 5)));
        assert!(result.is_err());
        run(2, 8, &|_, _| {});
    }
}
