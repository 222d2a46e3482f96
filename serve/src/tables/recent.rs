//! Values that were used last.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use callsheet_worker::error::Result;

/// Values that were used last, by name.
pub(crate) struct Recent<V> {
    /// Largest number of values.
    most: usize,
    /// The one that was used last is the last.
    kept: Mutex<Vec<(String, Arc<V>)>>,
}

impl<V> Recent<V> {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, kept: Mutex::default() }
    }

    /// Returns a value if it is kept.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<V>> {
        let mut kept = self.lock();
        let at = kept.iter().position(|(known, _)| known == name)?;
        let used = kept.remove(at);
        let value = used.1.clone();
        kept.push(used);
        Some(value)
    }

    /// Returns a value, which `make` makes if it is not kept. Other values can be read in the meantime.
    ///
    /// # Errors
    /// Returns the error of `make`.
    pub(crate) fn get_or(&self, name: &str, make: impl FnOnce() -> Result<V>) -> Result<Arc<V>> {
        if let Some(value) = self.get(name) {
            return Ok(value);
        }
        let value = Arc::new(make()?);
        let mut kept = self.lock();
        kept.push((name.to_owned(), value.clone()));
        if kept.len() > self.most {
            kept.remove(0);
        }
        Ok(value)
    }

    /// Drops values until their sizes are at most `most` together, but keeps the one that was used last.
    pub(crate) fn shrink(&self, most: usize, size: impl Fn(&V) -> usize) {
        let mut kept = self.lock();
        let mut sum: usize = kept.iter().map(|(_, value)| size(value)).sum();
        while sum > most && kept.len() > 1 {
            sum -= size(&kept.remove(0).1);
        }
    }

    /// Sum over all values.
    pub(crate) fn sum(&self, size: impl Fn(&V) -> usize) -> usize {
        self.lock().iter().map(|(_, value)| size(value)).sum()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(String, Arc<V>)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_that_was_not_used_for_the_longest_time_is_dropped_first() {
        let recent = Recent::new(2);
        let made = |name: &str| recent.get_or(name, || Ok(name.len())).map(|value| *value).expect("made");
        assert_eq!((made("a"), made("bb"), made("a"), made("ccc")), (1, 2, 1, 3));
        assert!(recent.get("bb").is_none());
        assert_eq!(recent.sum(|value| *value), 4);
        recent.shrink(3, |value| *value);
        assert_eq!(recent.sum(|value| *value), 3);
        assert_eq!(made("ccc"), 3);
    }
}
