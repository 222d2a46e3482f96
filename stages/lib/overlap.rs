//! Parallel reading, computing and writing.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use anyhow::{Result, anyhow};

use crate::lib::memory::text;

/// A piece of work, and the channel for its result.
type Job<T, R> = (T, SyncSender<Result<R>>);

/// Passes each item of `source` to one of `workers`, each in a thread. Passes their results, `together` at a
/// time, to `sink` on the calling thread, in the order of the items. Few items are in memory, because
/// `source` waits for `sink`.
///
/// # Errors
/// Returns the first error of a worker or of `sink`, otherwise that of `source`.
pub(crate) fn overlap<T: Send, R: Send>(
    source: impl FnOnce(&mut dyn FnMut(T) -> Result<()>) -> Result<()> + Send,
    workers: Vec<impl FnMut(T) -> Result<R> + Send>,
    together: usize,
    mut sink: impl FnMut(Vec<R>) -> Result<()>,
) -> Result<()> {
    let (results, in_order) = sync_channel::<Receiver<Result<R>>>(workers.len() * 4);
    let (jobs, queue) = sync_channel::<Job<T, R>>(workers.len());
    let queue = Mutex::new(queue);
    thread::scope(|scope| {
        for mut work in workers {
            let queue = &queue;
            scope.spawn(move || {
                while let Some((item, result)) = next(queue) {
                    // A panic must not end the thread, because the queue needs it. After an error, nothing
                    // receives the result.
                    let done = catch_unwind(AssertUnwindSafe(|| work(item)));
                    let _ = result.send(done.unwrap_or_else(|panic| Err(panicked(panic.as_ref()))));
                }
            });
        }
        let reader = scope.spawn(move || {
            source(&mut |item| {
                let (result, promise) = sync_channel(1);
                let ended = || anyhow!("the work ended early");
                results.send(promise).map_err(|_| ended())?;
                jobs.send((item, result)).map_err(|_| ended())
            })
        });
        let mut pending = Vec::with_capacity(together);
        // The loop owns the receiver: when it ends early, the reader's next message fails instead of waiting.
        for promise in in_order {
            let result = promise.recv().map_err(|_| anyhow!("a worker thread failed"))?;
            pending.push(result?);
            if pending.len() == together {
                sink(std::mem::replace(&mut pending, Vec::with_capacity(together)))?;
            }
        }
        if !pending.is_empty() {
            sink(pending)?;
        }
        reader.join().map_err(|_| anyhow!("the reading thread failed"))?
    })
}

fn panicked(panic: &(dyn Any + Send)) -> anyhow::Error {
    anyhow!("a worker thread failed: {}", text(panic).unwrap_or("without a message"))
}

fn next<T>(queue: &Mutex<Receiver<T>>) -> Option<T> {
    queue.lock().ok()?.recv().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Doubles numbers. The number `first.0` causes an error, `first.1` a panic.
    fn doubled(count: u64, first: (u64, u64), sink: impl FnMut(Vec<u64>) -> Result<()>) -> Result<()> {
        let source = |give: &mut dyn FnMut(u64) -> Result<()>| (0..count).try_for_each(give);
        let double = move |n: u64| {
            anyhow::ensure!(n != first.0, "{n} is refused");
            assert_ne!(n, first.1, "{n} breaks");
            // Later items may be finished earlier.
            thread::sleep(std::time::Duration::from_micros(50 * (n % 3)));
            Ok(n * 2)
        };
        overlap(source, vec![double; 3], 8, sink)
    }

    #[test]
    fn results_come_together_in_the_order_of_the_items() {
        let mut results = Vec::new();
        doubled(60, (70, 70), |together| {
            results.push(together);
            Ok(())
        })
        .expect("done");
        assert_eq!(results.concat(), (0..60).map(|n| n * 2).collect::<Vec<_>>());
        assert_eq!(results.iter().map(Vec::len).collect::<Vec<_>>(), [8, 8, 8, 8, 8, 8, 8, 4]);
    }

    #[test]
    fn the_first_error_ends_all_of_it() {
        let of = |first| doubled(1_000_000, first, |_| Ok(())).expect_err("an error").to_string();
        assert_eq!(of((70, 90)), "70 is refused");
        let broken = of((90, 70));
        assert!(broken.contains("a worker thread failed") && broken.contains("70 breaks"), "{broken}");
        let full = |n: Vec<u64>| if n[0] < 10 { Ok(()) } else { Err(anyhow!("full")) };
        assert_eq!(doubled(1_000_000, (70, 70), full).expect_err("full").to_string(), "full");
    }
}
