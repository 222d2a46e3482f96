//! Fuzz target: any line of a worker's events is an event or refused, and an event that is read is written and
//! read again without a difference.
#![no_main]

use callsheet_worker::protocol::WorkerEvent;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    if let Ok(event) = WorkerEvent::parse(line) {
        let again = serde_json::to_vec(&event).expect("an event is plain data");
        let read = WorkerEvent::parse(&again).expect("written by this program");
        // NaN does not equal itself, so the texts are compared.
        assert_eq!(serde_json::to_vec(&read).expect("plain data"), again);
    }
});
