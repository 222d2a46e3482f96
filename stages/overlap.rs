//! Reading, computing and writing at once.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use anyhow::{Result, anyhow};

/// A piece of work, and where its result goes.
type Job<T, R> = (T, SyncSender<Result<R>>);

/// Hands each item of `source` to one of `workers`, a thread each, and their results to `sink` on the
/// calling thread, in the order of the items. Few items are held at a time: `source` waits for `sink`.
///
/// # Errors
/// The first error of a worker or of `sink`, else that of `source`.
pub fn overlap<T: Send, R: Send>(
    source: impl FnOnce(&mut dyn FnMut(T) -> Result<()>) -> Result<()> + Send,
    workers: Vec<impl FnMut(T) -> Result<R> + Send>,
    mut sink: impl FnMut(R) -> Result<()>,
) -> Result<()> {
    let (results, in_order) = sync_channel::<Receiver<Result<R>>>(workers.len() * 4);
    let (jobs, queue) = sync_channel::<Job<T, R>>(workers.len());
    let queue = Mutex::new(queue);
    thread::scope(|scope| {
        for mut work in workers {
            let queue = &queue;
            scope.spawn(move || {
                while let Some((item, result)) = next(queue) {
                    // Nobody listens after an error.
                    let _ = result.send(work(item));
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
        // By value: when this ends early, the reader must not wait for anyone to listen.
        for promise in in_order {
            let result = promise.recv().map_err(|_| anyhow!("a worker thread failed"))?;
            sink(result?)?;
        }
        reader.join().map_err(|_| anyhow!("the reading thread failed"))?
    })
}

fn next<T>(queue: &Mutex<Receiver<T>>) -> Option<T> {
    queue.lock().ok()?.recv().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubled(count: u64, sink: impl FnMut(u64) -> Result<()>) -> Result<()> {
        let source = |give: &mut dyn FnMut(u64) -> Result<()>| (0..count).try_for_each(give);
        let double = |n: u64| {
            anyhow::ensure!(n != 70, "70 is refused");
            // Later items are done earlier.
            thread::sleep(std::time::Duration::from_micros(50 * (n % 3)));
            Ok(n * 2)
        };
        overlap(source, vec![double; 3], sink)
    }

    #[test]
    fn results_come_in_the_order_of_the_items() {
        let mut results = Vec::new();
        doubled(60, |n| {
            results.push(n);
            Ok(())
        })
        .expect("done");
        assert_eq!(results, (0..60).map(|n| n * 2).collect::<Vec<_>>());
    }

    #[test]
    fn the_first_error_ends_all_of_it() {
        assert_eq!(doubled(1_000_000, |_| Ok(())).expect_err("refused").to_string(), "70 is refused");
        let full = doubled(1_000_000, |n| if n < 10 { Ok(()) } else { Err(anyhow!("full")) });
        assert_eq!(full.expect_err("full").to_string(), "full");
    }
}
