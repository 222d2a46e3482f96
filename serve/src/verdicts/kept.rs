//! Verdicts that stay in memory.

use std::sync::{Arc, Mutex, PoisonError};

use callsheet_worker::digest::Digest;
use callsheet_worker::error::Result;

use super::list::Verdicts;
use super::place::Place;

/// Place and verdicts that were read last.
#[derive(Default)]
pub(crate) struct KeptVerdicts {
    place: Mutex<Option<Arc<Place>>>,
    verdicts: Mutex<Option<Arc<Verdicts>>>,
}

impl KeptVerdicts {
    /// Returns the place that was found last.
    pub(super) fn place(&self) -> Option<Arc<Place>> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps a place.
    pub(super) fn keep(&self, place: Place) -> Arc<Place> {
        let place = Arc::new(place);
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(place.clone());
        place
    }

    /// Returns the verdicts in the file with this digest, which `read` reads if they are not kept.
    pub(super) fn verdicts(
        &self,
        place: &Arc<Place>,
        digest: Digest,
        read: impl FnOnce() -> Result<Verdicts>,
    ) -> Result<Arc<Verdicts>> {
        let mut kept = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(verdicts) = kept.as_ref().filter(|kept| kept.digest == digest && kept.place == *place) {
            return Ok(verdicts.clone());
        }
        let verdicts = Arc::new(read()?);
        *kept = Some(verdicts.clone());
        Ok(verdicts)
    }
}
